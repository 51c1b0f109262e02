#include "snapshot/snapshot.h"

#include <cstring>

namespace sluice::snapshot {

KeyPair::~KeyPair() { explicit_bzero(key_pem.data(), key_pem.size()); }

TicketKeys::~TicketKeys() {
  explicit_bzero(current.data(), current.size());
  explicit_bzero(previous.data(), previous.size());
}

}  // namespace sluice::snapshot
