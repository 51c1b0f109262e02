#include "snapshot/snapshot.h"

#include <cstring>

namespace sluice::snapshot {

KeyPair::~KeyPair() { explicit_bzero(key_pem.data(), key_pem.size()); }

}  // namespace sluice::snapshot
