// Who a certificate is for: the names of its subjectAltName (RFC 5280 4.2.1.6), checked, written and read.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::certs {

struct SubjectNames {
  std::vector<std::string> dns_names;  // "*.example.com" too; international ones as A-labels ("xn--...")
  std::vector<std::string> ip_addresses;
  std::vector<std::string> emails;
  std::vector<std::string> uris;

  [[nodiscard]] size_t count() const noexcept {
    return dns_names.size() + ip_addresses.size() + emails.size() + uris.size();
  }
  friend bool operator==(const SubjectNames&, const SubjectNames&) = default;
};

// What is wrong with it as a certificate's DNS name, or nothing. A wildcard is a whole first label.
[[nodiscard]] std::optional<std::string_view> wrong_with_dns_name(std::string_view name);

// Every name in its one spelling: DNS names in lower case without a final dot, IP addresses as SocketAddress writes
// them. Refuses what is no such name, one that is there twice, and more than limits::certificate_names_max.
[[nodiscard]] Result<SubjectNames> normalised(SubjectNames names);

// DNS names and IP addresses, in any order and more than once. Refuses what is neither.
[[nodiscard]] Result<SubjectNames> names_of_hosts(std::span<const std::string> hosts);

// Whether a client that has asked for `host` accepts the names. RFC 6125 6.4: a wildcard stands for exactly one label,
// the first one. A wildcard host of the Gateway counts as covered by the same wildcard, although it also matches
// deeper names.
[[nodiscard]] bool is_covered(std::string_view host, std::span<const std::string> dns_names,
                              std::span<const std::string> ip_addresses);

// GeneralNames, as the value of the extension. `names` are normalised and not empty.
[[nodiscard]] std::string to_general_names(const SubjectNames& names);

// The reverse, of anybody's bytes. Each name once. Refuses names of other kinds, and what normalised() refuses.
[[nodiscard]] Result<SubjectNames> read_general_names(ConstBytes value);

}  // namespace sluice::certs
