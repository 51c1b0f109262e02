// What the handshakes of one shard share. The shard's thread, but for what SigningQueue says of itself.
#pragma once

#include "tls/fiber.h"
#include "tls/signing_queue.h"
#include "tls/x25519.h"

namespace sluice::tls {

struct HandshakePool {
  FiberStacks stacks;  // of handshakes that wait
  X25519Agreements agreements;
  SigningQueue signing;  // not served: handshakes do everything themselves, at once

  // At the end of each turn: what the handshakes of this turn wait for is done, or handed over.
  void end_turn() noexcept {
    agreements.run();
    signing.publish();
  }

  // About once a second: memory that the last burst of handshakes has needed goes.
  void tidy() noexcept { stacks.trim(); }
};

// Who calls Session::handshake() again when what it waits for is there.
struct HandshakeWaiter {
  void (*on_ready)(void* owner) = nullptr;
  void* owner = nullptr;
};

}  // namespace sluice::tls
