// Any bytes at all as the beginning of a connection that is to begin with a PROXY header. Besides not crashing, the
// reader must not change its mind when more bytes come, must not wait for ever, and must read what we write of the same
// addresses.
#include "base/check.h"
#include "base/limits.h"
#include "transport/proxy_header.h"

#include <algorithm>
#include <string>

using namespace sluice;
using Status = transport::ProxyHeader::Status;

namespace {

bool are_alike(const transport::ProxyHeader& a, const transport::ProxyHeader& b) {
  return a.status == b.status && a.size == b.size && a.addresses == b.addresses && a.fault == b.fault;
}

void check_written(const transport::ProxiedAddresses& addresses) {
  for (const auto version : {snapshot::ProxyProtocol::v1, snapshot::ProxyProtocol::v2}) {
    const std::string text = transport::write_proxy_header(version, addresses);
    const transport::ProxyHeader header = transport::read_proxy_header(as_bytes(text));
    CHECK(header.status == Status::complete);
    CHECK(header.size == text.size());
    CHECK(header.addresses == addresses);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ConstBytes bytes(reinterpret_cast<const std::byte*>(data), size);
  const transport::ProxyHeader header = transport::read_proxy_header(bytes);
  switch (header.status) {
    case Status::need_more: CHECK(size < transport::proxy_header_first_bytes); break;
    case Status::malformed: CHECK(!header.fault.empty() && !header.addresses); break;
    case Status::complete:
      CHECK(header.size > 0 && header.size <= limits::proxy_header_bytes_max);
      if (header.addresses) check_written(*header.addresses);
      break;
  }
  const size_t first = std::min(size, transport::proxy_header_first_bytes);
  CHECK(are_alike(transport::read_proxy_header(bytes.first(first)), header));
  for (size_t length = 0; length < first; ++length) {
    const transport::ProxyHeader before = transport::read_proxy_header(bytes.first(length));
    if (before.status != Status::need_more) CHECK(are_alike(before, header));
  }
  return 0;
}
