// Any bytes at all as the answer of a name server. Besides not crashing, every part that is read must lie inside of the
// message, and nothing may pass as signed.
#include "base/check.h"
#include "dns/message.h"
#include "dns/tsig.h"

#include <initializer_list>
#include <string>

using namespace sluice;

namespace {

void check_name(const std::string& name) {
  CHECK(!name.empty() && name.size() <= 255 && name.back() == '\0');
  for (const char c : dns::name_text(name)) CHECK(c > ' ' && c <= '~');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ConstBytes bytes(reinterpret_cast<const std::byte*>(data), size);
  const Result<dns::Message> message = dns::read_message(bytes);
  if (!message) {
    CHECK(!message.error().message.empty());
    return 0;
  }
  for (const auto* records : {&message->answers, &message->authority, &message->additional}) {
    for (const dns::Record& record : *records) {
      check_name(record.name);
      const size_t end = record.data_begin + record.data_size;
      CHECK(record.begin < record.data_begin && end <= size);
      if (const Result<std::string> text = dns::read_txt(bytes, record)) CHECK(text->size() <= record.data_size);
      size_t at = record.data_begin;
      if (const Result<std::string> name = dns::read_name(bytes, at, end)) {
        check_name(*name);
        CHECK(at > record.data_begin && at <= end);
      }
    }
  }
  static const dns::TsigKey key = dns::read_tsig_key("acme-key", "", "MDEyMzQ1Njc4OWFiY2RlZg==").value();
  const WallTime now{std::chrono::seconds(1'700'000'000)};
  const Status status = dns::verify(bytes, *message, key, std::string(32, 'm'), now);
  CHECK(!status && !status.error().message.empty());
  return 0;
}
