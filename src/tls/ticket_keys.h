// Session tickets (RFC 5077, RFC 8446 4.6.1): the state of a session, sealed by us and kept by the client,
// which saves both a signature and a certificate when it comes back. Here are the keys and the sealing;
// which state that is, is wolfSSL's business (tls/session_callbacks.cc asks for it).
//
// A ticket on the wire (RFC 5077 4): key name 16, IV 16, length 2, encrypted state, HMAC-SHA256 32. The
// encryption is AES-CBC with a random IV; the HMAC is over the binding (below), name, IV, length and what is
// encrypted, and is checked first, in constant time.
//
// Keys, one of two kinds:
// - The process's own: random, a new one every limits::ticket_key_lifetime; the one before it still opens.
//   Then it is wiped: who gets hold of the memory later opens no recorded tickets (forward secrecy).
// - Shared with other processes, which resume each other's sessions: from a Secret. They change when the
//   Secret does; forward secrecy is up to who writes it.
//
// How long a session can be resumed: limits::session_lifetime from its full handshake, whatever the keys and
// however often the ticket is renewed on the way: a resumed session gets tickets with the time of the first
// one. RFC 8446 4.6.1 allows seven days; two hours keep what resumption saves (a client that comes back every
// minute signs once in 120 times) and bound for how long a replaced certificate, and in TLS 1.2 one master
// secret, live on.
//
// Thread-safe: all shards seal and open with one keyring, once or twice in a handshake. The mutex is held
// for the copy of two pointers (and for making a key, once an hour); the cryptography is outside of it.
#pragma once

#include "base/bytes.h"
#include "base/durations.h"
#include "base/result.h"
#include "snapshot/snapshot.h"

#include <array>
#include <memory>
#include <mutex>
#include <span>

namespace sluice::tls {

inline constexpr size_t ticket_name_bytes = 16;
inline constexpr size_t ticket_iv_bytes = 16;
inline constexpr size_t ticket_mac_bytes = 32;

// What the server that gave a ticket is to its clients; another one cannot open it.
using TicketBinding = snapshot::Sha256Digest;

// The fields of a ticket around the encrypted state, in place.
struct TicketFields {
  std::span<std::byte, ticket_name_bytes> name;
  std::span<std::byte, ticket_iv_bytes> iv;
  std::span<std::byte, ticket_mac_bytes> mac;
};

class TicketKeyring {
  struct Key;

 public:
  // The process's own. Fails when there is no memory or no random numbers.
  [[nodiscard]] static Result<std::shared_ptr<TicketKeyring>> create(WallTime now);
  // Keys of a Secret. Refuses, with the reason: not 48 or 80 bytes, a name of zeros only.
  [[nodiscard]] static Result<std::shared_ptr<TicketKeyring>> create(const snapshot::TicketKeys& keys);

  TicketKeyring(const TicketKeyring&) = delete;
  TicketKeyring& operator=(const TicketKeyring&) = delete;
  ~TicketKeyring();

  // Makes the new key that is due and lets go of the old ones. Sealing and opening do it, too; for a process
  // that nobody visits, control/ does. Nothing with keys of a Secret.
  void rotate(WallTime now) noexcept;

  // The bytes that `state_size` bytes of state have when they are sealed.
  [[nodiscard]] static constexpr size_t sealed_bytes(size_t state_size) noexcept {
    return (state_size + sizeof(int64_t)) / 16 * 16 + 16;
  }
  // Encrypts the first `state_size` bytes of `buffer`, which must have room for sealed_bytes(state_size), in
  // place, and fills in `fields`. `authenticated_at`: when the session had its full handshake. False: the
  // buffer is too small or the cryptography failed; there is no ticket then, and no state in the buffer.
  [[nodiscard]] bool seal(const TicketBinding& binding, WallTime authenticated_at, WallTime now, TicketFields fields,
                          MutableBytes buffer, size_t state_size) noexcept;

  enum class OpenStatus : uint8_t {
    opened,
    opened_by_previous_key,  // better give the client a new ticket
    rejected,                // not ours, not for this server, altered, or too old: a full handshake follows
  };
  struct Opened {
    OpenStatus status = OpenStatus::rejected;
    size_t state_size = 0;        // the state is at the front of `encrypted`
    WallTime authenticated_at{};  // as given to seal(), in whole seconds
  };
  // Decrypts `encrypted` in place. All is hostile.
  [[nodiscard]] Opened open(const TicketBinding& binding, WallTime now, const TicketFields& fields,
                            MutableBytes encrypted) noexcept;

 private:
  struct Keys {
    std::shared_ptr<const Key> current;   // never null
    std::shared_ptr<const Key> previous;  // null: none
  };

  TicketKeyring(Keys keys, bool rotates, WallTime current_since) noexcept;

  [[nodiscard]] Keys keys_at(WallTime now) noexcept;
  void rotate_locked(WallTime now) noexcept;

  const bool rotates_;
  std::mutex mutex_;
  Keys keys_;               // by mutex_
  WallTime current_since_;  // by mutex_
};

}  // namespace sluice::tls
