#include "config/diagnostic.h"

#include "base/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

namespace sluice::config {

namespace {

constexpr std::string_view severity_names[] = {"info", "warning", "error"};

}  // namespace

std::string_view severity_name(Severity severity) noexcept { return severity_names[static_cast<size_t>(severity)]; }

std::string Diagnostic::text() const { return hint.empty() ? message : message + "; " + hint; }

std::string Diagnostic::to_string() const {
  const std::string where = place.to_string();
  return fmt::format("{}{}{}: {}", where, where.empty() ? "" : ": ", severity_name(severity), text());
}

void Diagnostics::info(SourcePlace place, std::string message, std::string hint) {
  add({Severity::info, std::move(place), std::move(message), std::move(hint)});
}

void Diagnostics::warning(SourcePlace place, std::string message, std::string hint) {
  add({Severity::warning, std::move(place), std::move(message), std::move(hint)});
}

void Diagnostics::error(SourcePlace place, std::string message, std::string hint, std::string field) {
  add({Severity::error, std::move(place), std::move(message), std::move(hint), std::move(field)});
}

void Diagnostics::add(Diagnostic diagnostic) {
  if (++counts_[static_cast<size_t>(diagnostic.severity)] > limits::config_diagnostics_max) return;
  items_.push_back(std::move(diagnostic));
}

void Diagnostics::drop_repeated() {
  std::set<std::string> seen;
  std::erase_if(items_, [&](const Diagnostic& diagnostic) {
    const bool is_new = seen.insert(diagnostic.to_string()).second;
    if (!is_new) --counts_[static_cast<size_t>(diagnostic.severity)];
    return !is_new;
  });
}

void Diagnostics::append(const Diagnostics& other) {
  std::array<size_t, 3> left_out = other.counts_;
  for (const Diagnostic& diagnostic : other.items_) {
    --left_out[static_cast<size_t>(diagnostic.severity)];
    add(diagnostic);
  }
  for (size_t i = 0; i < left_out.size(); ++i) counts_[i] += left_out[i];
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  // By index where places are equal: what was said first stays first.
  std::vector<size_t> order(items_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) {
    const SourcePlace& place = items_[i].place;
    return std::tuple(std::string_view(place.file), place.line, place.column, i);
  });
  std::vector<Diagnostic> result;
  for (const size_t i : order) result.push_back(items_[i]);
  for (const Severity severity : {Severity::info, Severity::warning, Severity::error}) {
    if (count(severity) <= limits::config_diagnostics_max) continue;
    Diagnostic& more = result.emplace_back();
    more.severity = severity;
    more.message = fmt::format("{} more are not shown", count(severity) - limits::config_diagnostics_max);
  }
  return result;
}

}  // namespace sluice::config
