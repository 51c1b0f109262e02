#include "control/certificate_report.h"

#include "tls/parsed_certificate.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

namespace sluice::control {

namespace {

Json date_json(const std::optional<WallTime>& time) { return time ? Json(tls::to_rfc3339(*time)) : Json(nullptr); }

// As Go writes durations: "2m0s".
std::string interval_text(Duration interval) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(interval).count();
  std::string text = seconds >= 3600 ? fmt::format("{}h", seconds / 3600) : std::string();
  if (seconds >= 60) text += fmt::format("{}m", seconds / 60 % 60);
  return text + fmt::format("{}s", seconds % 60);
}

// "-" for what is not there.
std::string text_of(const Json& certificate, const char* name) {
  const auto found = certificate.find(name);
  if (found == certificate.end() || found->is_null()) return "-";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

}  // namespace

Json to_json(const renewal::CertificateReport& certificate) {
  const std::string_view state = renewal::text_of(certificate.state);
  Json json = {{"certificate", certificate.certificate},
               {"secret", certificate.secret},
               {"issuer", certificate.issuer},
               {"state", state},
               {"message", certificate.message},
               {"commonName", certificate.common_name},
               {"dnsNames", certificate.dns_names},
               {"issuanceDate", date_json(certificate.issued)},
               {"renewalDate", date_json(certificate.renewal)},
               {"expirationDate", date_json(certificate.expiration)},
               {"backoff", nullptr},
               {"conditions", Json::array({{{"type", "Ready"},
                                            {"status", certificate.state == renewal::State::ready ? "True" : "False"},
                                            {"reason", state},
                                            {"message", certificate.message}}})},
               {"isWorking", certificate.is_working}};
  if (certificate.backoff) {
    json["backoff"] = {{"recheckAfter", tls::to_rfc3339(certificate.backoff->recheck_after())},
                       {"recheckInterval", interval_text(certificate.backoff->interval)},
                       {"failures", certificate.backoff->failures}};
  }
  return json;
}

Json to_json(std::span<const renewal::CertificateReport> certificates) {
  Json list = Json::array();
  for (const renewal::CertificateReport& certificate : certificates) list.push_back(to_json(certificate));
  return list;
}

std::string certificates_table(const Json& certificates) {
  using Row = std::array<std::string, 6>;
  std::vector<Row> rows = {{"CERTIFICATE", "STATE", "EXPIRES", "RENEWED", "ISSUER", "MESSAGE"}};
  for (const Json& each : certificates) {
    rows.push_back({text_of(each, "certificate"), text_of(each, "state"), text_of(each, "expirationDate"),
                    text_of(each, "renewalDate"), text_of(each, "issuer"), text_of(each, "message")});
  }
  std::array<size_t, 5> widths{};  // the last one needs none
  for (const Row& row : rows) {
    for (size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string table;
  for (const Row& row : rows) {
    for (size_t i = 0; i < widths.size(); ++i) table += fmt::format("{:<{}}  ", row[i], widths[i]);
    table += row.back() + "\n";
  }
  return table;
}

std::string certificate_text(const Json& certificate) {
  std::string text;
  for (const auto& [label, name] :
       {std::pair{"certificate", "certificate"}, std::pair{"secret", "secret"}, std::pair{"issuer", "issuer"},
        std::pair{"state", "state"}, std::pair{"message", "message"}, std::pair{"common name", "commonName"},
        std::pair{"names", "dnsNames"}, std::pair{"issued", "issuanceDate"}, std::pair{"renewed at", "renewalDate"},
        std::pair{"expires", "expirationDate"}}) {
    std::string value = text_of(certificate, name);
    if (const auto found = certificate.find(name); found != certificate.end() && found->is_array()) {
      value.clear();
      for (const Json& each : *found) value += (value.empty() ? "" : ", ") + each.get<std::string>();
    }
    text += fmt::format("{:<12} {}\n", label, value.empty() ? "-" : value);
  }
  if (const auto backoff = certificate.find("backoff"); backoff != certificate.end() && backoff->is_object())
    text += fmt::format("{:<12} {} (failures: {})\n", "tried again", text_of(*backoff, "recheckAfter"),
                        text_of(*backoff, "failures"));
  return text;
}

}  // namespace sluice::control
