// What is known of one managed certificate beside the certificate itself: how far it is, when it is looked at next, and
// what an order needs to go on after the process has ended. Saved as JSON between any two steps.
#pragma once

#include "base/durations.h"
#include "base/limits.h"
#include "base/result.h"
#include "certs/certificate_facts.h"
#include "renewal/schedule.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::renewal {

// The controller's words.
enum class State : uint8_t { pending, ready, error, revoked };
[[nodiscard]] std::string_view text_of(State state) noexcept;  // "Pending"

// An ACME order that is under way. The key is saved before the order exists: a certificate that the server has made is
// never without it.
struct PendingOrder {
  std::string url;  // empty: the key is there, the order is not
  std::string account_url;
  std::string key_pem;   // empty: the user wrote the CSR. Wiped at the end
  std::string digest;    // of what is asked for; the request is made of that and the key
  std::string replaces;  // RFC 9773 5: the certificate that it takes the place of; empty: none

  PendingOrder() = default;
  PendingOrder(const PendingOrder&) = default;
  PendingOrder(PendingOrder&&) noexcept = default;
  PendingOrder& operator=(const PendingOrder&) = default;
  PendingOrder& operator=(PendingOrder&&) noexcept = default;
  ~PendingOrder();
  friend bool operator==(const PendingOrder&, const PendingOrder&) = default;
};

// A TXT record that was made, or was about to be.
struct DnsRecord {
  std::string name;
  std::string value;
  std::string issuer;  // "namespace/name" of the Issuer that says how
  friend bool operator==(const DnsRecord&, const DnsRecord&) = default;
};

// The certificate that is in the Secret.
struct Issued {
  std::string digest;          // of what was asked for (request_digest() of certs/certificate_wish.h)
  std::string serial;          // hexadecimal
  std::string issuer;          // "namespace/name" of the Issuer
  std::string certificate_id;  // RFC 9773 4.1; empty: it has none
  WallTime issued{};
  WallTime not_before{};
  WallTime not_after{};
  bool is_revoked = false;
  friend bool operator==(const Issued&, const Issued&) = default;
};

[[nodiscard]] Issued issued_of(const certs::CertificateFacts& facts, std::string digest, std::string issuer,
                               WallTime issued);

// An order that the server could not validate.
struct FailedOrder {
  std::vector<std::string> names;
  WallTime time{};

  // It keeps the next order for these names back until then.
  [[nodiscard]] WallTime end() const noexcept { return time + limits::failed_order_pause; }
  // Not when the clock has been set back to before it: nobody knows how long ago it was.
  [[nodiscard]] bool is_recent(WallTime now) const noexcept { return now >= time && now < end(); }
  friend bool operator==(const FailedOrder&, const FailedOrder&) = default;
};

// A certificate that is to be revoked. It is kept here, because the Secret may have its successor by then.
struct PendingRevocation {
  std::string certificate_pem;
  std::string serial;             // hexadecimal
  std::string issuer;             // "namespace/name" of the Issuer
  std::string document;           // "namespace/name" of the CertificateRevocation; empty: a person's command
  std::string reason;             // renewal/revocation_reason.h; empty: none is given
  bool is_after_renewal = false;  // not while anything serves it
  friend bool operator==(const PendingRevocation&, const PendingRevocation&) = default;
};

struct Record {
  // What it is about, for who reads the files without the documents.
  std::string secret;  // "namespace/name", what it writes
  std::string issuer;  // "namespace/name"
  std::string common_name;
  std::vector<std::string> dns_names;

  State state = State::pending;
  std::string message;  // of the last thing that happened, for people
  std::optional<Issued> issued;
  WallTime renewal{};  // when `issued` is to be renewed
  Backoff backoff;
  std::string wish;  // a digest of the documents that `backoff` is about
  std::optional<PendingOrder> order;
  std::vector<DnsRecord> dns_records;  // that are to be removed when no order is under way

  std::vector<FailedOrder> failed_orders;  // of the last hour
  std::optional<PendingRevocation> revoking;
  std::optional<SuggestedWindow> suggested;  // what the authority said last
  WallTime ask_for_window{};                 // when to ask again
  std::vector<std::string> revocations;      // "namespace/name" of the CertificateRevocations that have been followed
  bool is_renew_wanted = false;              // by a person, or because it was revoked
  bool is_renew_done = false;                // spec.renew has been followed; false again once it is taken back
  friend bool operator==(const Record&, const Record&) = default;
};

// The caller wipes it: it has the key of an order.
[[nodiscard]] std::string to_json(const Record& record);
// Of a text that to_json() wrote, or of anything. "has no state": the caller names the text.
[[nodiscard]] Result<Record> read_record(std::string_view json);

}  // namespace sluice::renewal
