// What a Secret has for an OCSP response: any bytes; or, by the first byte of the input, a good response after the
// changes of a program. One that is taken is sent as it was given, and is good now but no longer than it says.
#include "hostile_peer/credentials.h"
#include "hostile_peer/der_tree.h"
#include "hostile_peer/program.h"

#include "base/check.h"
#include "base/limits.h"
#include "tls/ocsp_staple.h"

#include <algorithm>
#include <chrono>
#include <string>

using namespace sluice;

namespace {

const std::string& response() {
  static const std::string der = test::ocsp_response(fuzz::credentials().server_ecdsa, {.serial = 1000});
  return der;
}

void check(const std::string& der) {
  const WallTime now = std::chrono::system_clock::now();
  const auto pair = fuzz::key_pair(fuzz::credentials().server_ecdsa, der);
  const auto staple = tls::read_ocsp_staple(*pair, now);
  if (!staple) {
    CHECK(std::ranges::all_of(staple.error().message, [](char c) { return c >= ' ' && c < '\x7f'; }));
    return;
  }
  CHECK(staple->der == der && der.size() <= limits::ocsp_staple_bytes_max);
  CHECK(staple->good_until > now);
  if (staple->good_until != WallTime::max()) CHECK(!tls::read_ocsp_staple(*pair, staple->good_until));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Program program({reinterpret_cast<const char*>(data), size});
  check(program.number(2) == 0 ? fuzz::edit_der(response(), program) : std::string(program.rest()));
  return 0;
}
