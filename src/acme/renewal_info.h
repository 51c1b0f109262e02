// When the authority wants a certificate to be renewed (RFC 9773). No account is needed.
#pragma once

#include "acme/client.h"
#include "base/durations.h"

#include <optional>
#include <string>

namespace sluice::acme {

struct RenewalInfo {
  WallTime start;
  WallTime end;                 // not before `start`
  std::string explanation_url;  // for people; empty: none
  Duration ask_again{};         // one minute to one day
};

// `certificate_id`: RFC 9773 4.1. Nothing: the server does not offer it, for this certificate or at all.
[[nodiscard]] Answer<std::optional<RenewalInfo>> fetch_renewal_info(Client& client, const std::string& certificate_id);

}  // namespace sluice::acme
