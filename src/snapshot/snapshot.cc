#include "snapshot/snapshot.h"

#include "base/wipe.h"

namespace sluice::snapshot {

KeyPair::~KeyPair() { wipe(key_pem); }

TicketKeys::~TicketKeys() {
  wipe(current);
  wipe(previous);
}

}  // namespace sluice::snapshot
