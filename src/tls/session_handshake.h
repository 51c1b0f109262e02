// A Session's handshake: what it needs until it is done, in one object that goes with it. Of tls/session*.cc only.
//
// Each call of Session::handshake() takes one step of wolfSSL's. With a pool, the step runs on a fiber, which stops
// where wolfSSL asks for a signature or a shared secret that is made elsewhere; the next call goes on there.
#pragma once

#include "tls/session.h"

#include <chrono>
#include <memory>
#include <optional>

namespace sluice::tls {

// What is needed until the handshake is done, and would only cost memory afterwards.
struct Session::Handshake {
  std::shared_ptr<const ServerContext::AlpnNames> alpn_names;  // until the protocol is chosen
  std::shared_ptr<const PrivateKey> key;                       // null: none is shown
  std::unique_ptr<ResumableSession> resumed_from;              // null: a full handshake
  std::shared_ptr<const ServerContext::Tickets> tickets;       // null: none are given or taken
  std::shared_ptr<const OcspStaple> staple;                    // null: none is shown
  WallTime authenticated_at{};                                 // of the client's ticket, exactly when one was opened
  HandshakePool* pool = nullptr;                               // null: signatures are made at once
  HandshakeWaiter waiter;
  std::optional<Fiber> fiber;            // exactly while a step is under way; between calls: while it waits
  std::unique_ptr<SigningJob> job;       // the last signature; while it waits for that, the queue has it
  X25519Agreement* agreement = nullptr;  // exactly while it waits for that; on the fiber's stack
  bool is_waiting = false;
  bool is_abandoned = false;  // the session is being destroyed: the step is to come to its end
  int result = 0;             // of the last step
};

}  // namespace sluice::tls
