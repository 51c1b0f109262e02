// Any bytes at all as the beginning of a connection to a TLS port. Besides not crashing, the parser
// must not change its mind: a beginning of what it accepts is "need more", and what it has accepted
// stays accepted when more bytes follow.
#include "base/check.h"
#include "base/limits.h"
#include "tls/client_hello.h"

#include <algorithm>

using namespace sluice;

namespace {

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ConstBytes bytes(reinterpret_cast<const std::byte*>(data), size);
  tls::ClientHello hello;
  const tls::HelloStatus status = tls::read_client_hello(bytes, hello);
  CHECK(status == hello.status);
  CHECK(hello.server_name.size() <= 253);
  CHECK(std::ranges::all_of(hello.server_name, is_host_character));
  if (status != tls::HelloStatus::complete) CHECK(hello.server_name.empty());
  if (status == tls::HelloStatus::need_more) CHECK(size < limits::client_hello_bytes_max);

  // Prefixes: all of a short input, some of a long one.
  const size_t step = size / 64 + 1;
  for (size_t length = 0; length < size; length += step) {
    tls::ClientHello part;
    const tls::HelloStatus before = tls::read_client_hello(bytes.first(length), part);
    if (before != tls::HelloStatus::need_more) CHECK(before == status);
  }
  return 0;
}
