// When the authority wants a certificate to be renewed (RFC 9773). No account is needed.
#pragma once

#include "acme/client.h"
#include "base/bytes.h"
#include "base/durations.h"
#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::acme {

// RFC 9773 4.1: what the authority calls a certificate. Fails when it has no authority key identifier.
[[nodiscard]] Result<std::string> certificate_id(ConstBytes der);

struct RenewalInfo {
  WallTime start;
  WallTime end;                 // not before `start`
  std::string explanation_url;  // for people; empty: none
  Duration ask_again{};         // one minute to one day
};

// Nothing: the server does not offer it, for this certificate or at all.
[[nodiscard]] Answer<std::optional<RenewalInfo>> fetch_renewal_info(Client& client, const std::string& certificate_id);

}  // namespace sluice::acme
