#include "route/redirect.h"

#include "http/authority.h"
#include "http/hygiene.h"

#include <array>
#include <charconv>

namespace sluice::route {

namespace {

// ":8443"; empty where it is the scheme's own.
class PortText {
 public:
  PortText(uint16_t port, std::string_view scheme) noexcept {
    if (port == 0 || port == (scheme == "https" ? 443 : 80)) return;
    text_[0] = ':';
    size_ = static_cast<size_t>(std::to_chars(text_.data() + 1, text_.data() + text_.size(), port).ptr - text_.data());
  }
  [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, 6> text_{};
  size_t size_ = 0;
};

// The request's authority without its port where that is replaced, or belongs to the scheme that is left.
std::string_view kept_authority(const http::RequestHead& head, bool replaces_port, bool changes_scheme) noexcept {
  const auto parsed = http::parse_authority(head.authority);
  if (!parsed || !parsed->has_port) return head.authority;
  const bool is_default = parsed->port == (head.is_https ? "443" : "80");
  return replaces_port || (changes_scheme && is_default) ? parsed->host : head.authority;
}

std::string_view concatenate(const http::HeaderList& headers, std::span<const std::string_view> parts) noexcept {
  size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  auto* text = static_cast<char*>(headers.arena().allocate(size, 1));
  if (text == nullptr) return {};
  char* end = text;
  for (const std::string_view part : parts) end = std::ranges::copy(part, end).out;
  return {text, size};
}

}  // namespace

std::string_view redirect_location(const snapshot::Redirect& redirect, const http::RequestHead& head,
                                   uint16_t request_port) {
  const std::string_view own_scheme = head.is_https ? "https" : "http";
  const std::string_view scheme = redirect.scheme.empty() ? own_scheme : std::string_view(redirect.scheme);
  const bool replaces_port = redirect.port != 0 || redirect.has_request_port;
  const PortText port(redirect.has_request_port ? request_port : redirect.port, scheme);
  const std::string_view authority = redirect.authority.empty()
                                         ? kept_authority(head, replaces_port, scheme != own_scheme)
                                         : std::string_view(redirect.authority);
  if (authority.empty()) return {};

  if (redirect.path.empty()) {
    const std::string_view target = head.path.empty() ? std::string_view("/") : http::upstream_target(head);
    if (target.empty()) return {};
    return concatenate(head.headers, std::array{scheme, std::string_view("://"), authority, port.text(), target});
  }
  const bool keeps_query = head.has_query && !redirect.path.contains('?');
  return concatenate(head.headers, std::array{scheme, std::string_view("://"), authority, port.text(),
                                              std::string_view(redirect.path), std::string_view(keeps_query ? "?" : ""),
                                              keeps_query ? head.query : std::string_view()});
}

}  // namespace sluice::route
