// Any bytes as a file of the state directory: the record of a certificate, or its Secret. It may be damaged, or of
// another version. A record that is read is written as one that reads the same.
#include "base/check.h"
#include "renewal/record.h"
#include "renewal/stored_secret.h"

#include <string_view>

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const Result<renewal::Record> record = renewal::read_record(text)) {
    const Result<renewal::Record> again = renewal::read_record(renewal::to_json(*record));
    CHECK(again && *again == *record);
  } else {
    CHECK(!record.error().message.empty());
  }
  if (const auto secret = renewal::read_stored_secret(text)) {
    CHECK(!secret->certificate.chain_pem.empty());
  } else {
    CHECK(!secret.error().message.empty());
  }
  return 0;
}
