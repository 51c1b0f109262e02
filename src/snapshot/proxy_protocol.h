// Whether connections to a cluster begin with a header of the PROXY protocol (transport/proxy_header.h).
#pragma once

#include <cstdint>

namespace sluice::snapshot {

enum class ProxyProtocol : uint8_t { none, v1, v2 };

}  // namespace sluice::snapshot
