// Anything that a server may answer to three requests, and an owner that does anything: http2_program.h.
#include "http2_program.h"

using namespace sluice::test;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Http2End client(Http2End::Role::client);
  CHECK(client.receive(server_preface()));
  client.get("/", "GET");
  client.get("/", "HEAD");
  Http2Program program(client, Http2End::Role::client);
  program.note_open(client.post());
  program.run({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
