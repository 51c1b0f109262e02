// A managed Certificate in memory: what the documents ask for, what is known of it, and the order that is under way.
#pragma once

#include "acme/failure.h"
#include "base/durations.h"
#include "certs/certificate_request.h"
#include "config/managed_certificates.h"
#include "renewal/acme_order.h"
#include "renewal/record.h"
#include "renewal/txt_change.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace sluice::renewal {

struct Entry {
  config::Certificate certificate;
  certs::Subject subject;
  std::string digest;  // of what it asks for
  std::string wish;    // of all that an attempt depends on
  Record record;
  bool is_new_record = false;          // there was none, or a damaged one
  std::string trouble;                 // why its record cannot be read; empty: it can. Nothing is done then
  bool is_imported = false;            // its Secret is a person's
  bool is_left_behind = false;         // the documents have its Certificate no more: only its traces are looked after
  uint32_t stumbles = 0;               // passing failures of the order, one after the other
  WallTime revoke_after{};             // when revoking is tried again
  WallTime next_step{};                // of the order, or of what is left of it
  std::unique_ptr<AcmeOrder> order;    // under way in this process; then there is record.order
  std::unique_ptr<TxtChange> removal;  // exactly while the last of record.dns_records is being removed

  // Otherwise nothing is done for it until documents or files change.
  [[nodiscard]] bool may_work() const noexcept {
    return !is_left_behind && !certificate.user_secret && certificate.problem.empty() && trouble.empty();
  }
};

using Entries = std::map<config::ObjectKey, Entry>;  // by the Certificate's name

}  // namespace sluice::renewal
