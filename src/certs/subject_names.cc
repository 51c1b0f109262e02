#include "certs/subject_names.h"

#include "base/address.h"
#include "base/limits.h"
#include "certs/der_writer.h"
#include "config/host_name.h"
#include "config/wording.h"
#include "tls/der.h"
#include "tls/parsed_certificate.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::certs {
namespace {

// RFC 5280 4.2.1.6, implicit tags of GeneralName.
constexpr unsigned char kEmail = der::implicit(1);
constexpr unsigned char kDnsName = der::implicit(2);
constexpr unsigned char kUri = der::implicit(6);
constexpr unsigned char kIpAddress = der::implicit(7);

bool contains(std::span<const std::string> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Visible ASCII without what would end a name in a text that it is put into.
bool is_plain(std::string_view name) noexcept {
  return !name.empty() && name.size() <= limits::certificate_name_bytes_max && std::ranges::all_of(name, [](char c) {
    return c > ' ' && c < '\x7f' && !std::string_view("\"\\<>^`{|}").contains(c);
  });
}

bool is_scheme(std::string_view text) noexcept {  // RFC 3986 3.1
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !text.empty() && is_letter(text.front()) && std::ranges::all_of(text, [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

// --- One name of each kind; the error says what is wrong with it -----------------------------------

Result<std::string> normalised_dns_name(const std::string& name) {
  if (const auto wrong = wrong_with_dns_name(name)) return failure(std::string(*wrong));
  return config::normalised_host(name);
}

Result<std::string> normalised_ip_address(const std::string& name) {
  const auto address = SocketAddress::from_ip(name, 0);
  if (!address) return failure("an IP address is wanted, as in 192.0.2.1 or 2001:db8::1");
  return address->ip_text();
}

// RFC 5280 4.2.1.6: Mailbox of RFC 5321 without comments, in ASCII. Only the host is looked at closely.
Result<std::string> normalised_email(const std::string& name) {
  const size_t at = name.rfind('@');
  if (!is_plain(name) || at == 0 || at == std::string::npos || name.find('@') != at ||
      wrong_with_dns_name(std::string_view(name).substr(at + 1)))
    return failure("an e-mail address is wanted, as in admin@example.com, in ASCII");
  return name;
}

Result<std::string> normalised_uri(const std::string& name) {
  const size_t colon = name.find(':');
  if (!is_plain(name) || colon == std::string::npos || colon + 1 == name.size() || !is_scheme(name.substr(0, colon)))
    return failure("an absolute URI is wanted, as in spiffe://example.com/app, in ASCII");
  return name;
}

template <typename Normalise>
Status normalise_all(std::vector<std::string>& names, std::string_view kind, Normalise normalise) {
  std::vector<std::string> checked;
  for (const std::string& name : names) {
    Result<std::string> one = normalise(name);
    if (!one)
      return failure(fmt::format("the {} {} cannot be used: {}", kind, config::in_quotes(name), one.error().message));
    if (contains(checked, *one))
      return failure(fmt::format("the {} {} is there twice: leave one", kind, config::in_quotes(name)));
    checked.push_back(std::move(*one));
  }
  names = std::move(checked);
  return {};
}

}  // namespace

std::optional<std::string_view> wrong_with_dns_name(std::string_view name) {
  if (name == "*") return "a wildcard needs a domain, as in *.example.com";
  if (SocketAddress::from_ip(name, 0)) return "it is an IP address";
  if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    return "international names are written as A-labels, as in xn--bcher-kva.example";
  return config::wrong_with_host(name);
}

Result<SubjectNames> normalised(SubjectNames names) {
  if (names.count() > limits::certificate_names_max)
    return failure(fmt::format("{} names are too many: a certificate has at most {}", names.count(),
                               limits::certificate_names_max));
  if (Status status = normalise_all(names.dns_names, "DNS name", normalised_dns_name); !status)
    return std::unexpected(status.error());
  if (Status status = normalise_all(names.ip_addresses, "IP address", normalised_ip_address); !status)
    return std::unexpected(status.error());
  if (Status status = normalise_all(names.emails, "e-mail address", normalised_email); !status)
    return std::unexpected(status.error());
  if (Status status = normalise_all(names.uris, "URI", normalised_uri); !status) return std::unexpected(status.error());
  return names;
}

Result<SubjectNames> names_of_hosts(std::span<const std::string> hosts) {
  SubjectNames names;
  for (const std::string& host : hosts) {
    if (const auto address = SocketAddress::from_ip(host, 0)) {
      if (!contains(names.ip_addresses, address->ip_text())) names.ip_addresses.push_back(address->ip_text());
      continue;
    }
    if (const auto wrong = wrong_with_dns_name(host))
      return failure(fmt::format("{} is neither an IP address nor a host name: {}", config::in_quotes(host), *wrong));
    std::string name = config::normalised_host(host);
    if (!contains(names.dns_names, name)) names.dns_names.push_back(std::move(name));
  }
  return names;
}

bool is_covered(std::string_view host, std::span<const std::string> dns_names,
                std::span<const std::string> ip_addresses) {
  const std::string wanted = config::to_lower(host);
  const size_t dot = wanted.find('.');
  const std::string wildcard = dot == std::string::npos ? "" : "*" + wanted.substr(dot);
  return contains(ip_addresses, wanted) || std::ranges::any_of(dns_names, [&](const std::string& name) {
           const std::string offered = config::to_lower(name);
           return offered == wanted || (!wildcard.empty() && offered == wildcard);
         });
}

// --- DER -------------------------------------------------------------------------------------------

std::string to_general_names(const SubjectNames& names) {
  std::string content;
  for (const std::string& name : names.dns_names) content += der::element(kDnsName, name);
  for (const std::string& name : names.ip_addresses) {
    const SocketAddress address = SocketAddress::from_ip(name, 0).value_or(SocketAddress());
    const size_t size = address.family == SocketAddress::Family::ipv4 ? 4 : 16;
    content += der::element(kIpAddress, {reinterpret_cast<const char*>(address.ip.data()), size});
  }
  for (const std::string& name : names.emails) content += der::element(kEmail, name);
  for (const std::string& name : names.uris) content += der::element(kUri, name);
  return der::sequence({content});
}

namespace {

// Requests repeat names; nobody is helped by a refusal.
void add_once(std::vector<std::string>& names, std::string name) {
  if (!contains(names, name)) names.push_back(std::move(name));
}

}  // namespace

Result<SubjectNames> read_general_names(ConstBytes value) {
  const auto all = tls::der::take(value);
  if (!all || all->tag != tls::der::kSequence || !value.empty()) return failure("the names cannot be read");
  SubjectNames names;
  ConstBytes rest = all->content;
  while (const auto name = tls::der::take(rest)) {
    const std::string_view text = as_text(name->content);
    // IA5String; other bytes must not reach a message either.
    const bool is_text = name->tag == kDnsName || name->tag == kEmail || name->tag == kUri;
    if (is_text && !std::ranges::all_of(text, [](char c) { return c >= ' ' && c < '\x7f'; }))
      return failure("it has a name that is no ASCII text");
    switch (name->tag) {
      case kDnsName: add_once(names.dns_names, config::normalised_host(text)); break;
      case kIpAddress: add_once(names.ip_addresses, tls::ip_text(name->content)); break;
      case kEmail: add_once(names.emails, std::string(text)); break;
      case kUri: add_once(names.uris, std::string(text)); break;
      default: return failure("it has a name of a kind that is not supported: use DNS, IP, email and URI");
    }
    if (names.count() > limits::certificate_names_max) break;  // normalised() says so
  }
  if (!rest.empty() && names.count() <= limits::certificate_names_max) return failure("the names cannot be read");
  return normalised(std::move(names));
}

}  // namespace sluice::certs
