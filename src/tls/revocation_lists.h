// Certificate revocation lists (RFC 5280 5): which certificates their CAs have taken back. A list of megabytes
// costs its own size and eight bytes an entry, and a look-up is a binary search. Immutable after create().
#pragma once

#include "base/bytes.h"
#include "base/durations.h"
#include "base/result.h"
#include "tls/pem.h"
#include "tls/trust_store.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice::tls {

enum class Revocation : uint8_t {
  good,
  revoked,
  no_list,      // there is none of that issuer
  out_of_date,  // there is, but its time is over (nextUpdate) or has not begun
};

class RevocationLists {
 public:
  // Several lists may follow each other in `pem`. Each must be signed by one of the CA certificates. Refused
  // are lists that tell less than everything (delta lists, lists for some certificates only): they have
  // critical extensions that say so. A list that is out of date is taken; certificates of its issuer are not.
  [[nodiscard]] static Result<RevocationLists> create(std::string_view pem, const TrustStore& store);

  // `issuer` and `serial` as in the certificate: content of the Name and of the INTEGER.
  [[nodiscard]] Revocation check(ConstBytes issuer, ConstBytes serial, WallTime now) const noexcept;

 private:
  struct List {
    Der der;
    ConstBytes issuer;  // content of the Name, in `der`
    WallTime this_update;
    WallTime next_update;           // WallTime::max(): it has none
    std::vector<uint32_t> serials;  // offsets of the INTEGERs in `der`, sorted by their bytes
  };

  static Result<List> read(Der der, const TrustStore& store);
  static ConstBytes serial_at(const List& list, uint32_t offset) noexcept;
  static bool lists(const List& list, ConstBytes serial) noexcept;

  std::vector<List> lists_;
};

}  // namespace sluice::tls
