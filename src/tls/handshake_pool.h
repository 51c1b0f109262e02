// What the handshakes of one shard share. The shard's thread, but for what SigningQueue says of itself.
#pragma once

#include "tls/fiber.h"
#include "tls/signing_queue.h"

namespace sluice::tls {

struct HandshakePool {
  FiberStacks stacks;    // of handshakes that wait for a signature
  SigningQueue signing;  // not served: every handshake signs for itself, at once
};

// Who calls Session::handshake() again when its signature is there.
struct SignatureWaiter {
  void (*on_signed)(void* owner) = nullptr;
  void* owner = nullptr;
};

}  // namespace sluice::tls
