// Anything behind a client's preface, and an owner that does anything: http2_program.h.
#include "http2_program.h"

using namespace sluice::test;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Http2End server(Http2End::Role::server);
  CHECK(server.receive(client_preface()));
  Http2Program(server, Http2End::Role::server).run({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
