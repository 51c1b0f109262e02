// DNS messages (RFC 1035 4.1), as far as a change of a zone and a look at TXT records need them. c-ares writes no
// UPDATE and reads no TSIG. Reading is over anything that a server sends: it is bounded and never trusts a count, a
// length or a pointer.
//
// Names are in wire form, in lower case and without compression ("\3www\7example\3com\0"): equal names are equal
// strings, and it is the form that signatures are made of (RFC 8945 4.3.3).
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::dns {

inline constexpr size_t kHeaderBytes = 12;
inline constexpr size_t kMessageBytesMax = 65535;  // what the length in front of a message over TCP can say

enum Type : uint16_t { kTypeCname = 5, kTypeSoa = 6, kTypeTxt = 16, kTypeTsig = 250 };
enum Class : uint16_t { kClassIn = 1, kClassNone = 254, kClassAny = 255 };
enum Opcode : uint8_t { kOpcodeQuery = 0, kOpcodeUpdate = 5 };
enum Rcode : uint16_t {  // RFC 2136 2.2, RFC 8945 3
  kNoError = 0,
  kFormErr = 1,
  kServFail = 2,
  kNxDomain = 3,
  kNotImp = 4,
  kRefused = 5,
  kNotAuth = 9,
  kNotZone = 10,
  kBadSig = 16,
  kBadKey = 17,
  kBadTime = 18,
  kBadTrunc = 22,
};
[[nodiscard]] std::string rcode_text(uint16_t rcode);  // "REFUSED"; "RCODE 15" where none has a name

// --- Names -----------------------------------------------------------------------------------------

// "www.example.com", with or without a dot at the end. Fails with what is wrong with it: "a label is empty".
[[nodiscard]] Result<std::string> to_wire_name(std::string_view text);
// "www.example.com.": printable, whatever the name is.
[[nodiscard]] std::string name_text(std::string_view wire_name);
// Without its first label; of the root the root.
[[nodiscard]] std::string_view parent_name(std::string_view wire_name);
[[nodiscard]] inline bool is_root(std::string_view wire_name) { return wire_name.size() <= 1; }

// --- Writing ---------------------------------------------------------------------------------------

void append_u16(std::string& bytes, uint16_t value);
void append_u32(std::string& bytes, uint32_t value);

[[nodiscard]] std::string write_query(uint16_t id, std::string_view name, Type type);

enum class Change : uint8_t { add, remove };
// RFC 2136 2.5.1 and 2.5.4: adds one TXT record, or removes exactly this one. `value` has at most 255 bytes.
[[nodiscard]] std::string write_txt_update(uint16_t id, std::string_view zone, Change change, std::string_view name,
                                           std::string_view value);

// --- Reading ---------------------------------------------------------------------------------------

struct Record {
  std::string name;
  uint16_t type = 0;
  uint16_t record_class = 0;
  uint32_t ttl = 0;
  size_t begin = 0;       // in the message: of the record,
  size_t data_begin = 0;  // of its data
  size_t data_size = 0;
};

struct Message {
  uint16_t id = 0;
  uint8_t opcode = 0;
  bool is_response = false;
  uint16_t rcode = 0;
  std::vector<Record> answers;
  std::vector<Record> authority;
  std::vector<Record> additional;
};

// The whole of a message. Fails with what is wrong: "the message ends inside of a record".
[[nodiscard]] Result<Message> read_message(ConstBytes message);

// The name at `at`, which is then behind it; inside of `end`. Pointers may lead backwards only (RFC 1035 4.1.4).
[[nodiscard]] Result<std::string> read_name(ConstBytes message, size_t& at, size_t end);

// The value of a TXT record: its character strings one after the other. Nothing when their lengths are wrong.
[[nodiscard]] Result<std::string> read_txt(ConstBytes message, const Record& record);

[[nodiscard]] inline uint16_t read_u16(ConstBytes bytes, size_t at) noexcept {
  return static_cast<uint16_t>(std::to_integer<unsigned>(bytes[at]) << 8 | std::to_integer<unsigned>(bytes[at + 1]));
}

}  // namespace sluice::dns
