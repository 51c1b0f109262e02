#include "dns/message.h"

#include "base/check.h"
#include "base/limits.h"

#include <algorithm>
#include <utility>

namespace sluice::dns {

namespace {

constexpr size_t kLabelBytesMax = 63;  // RFC 1035 2.3.4
constexpr size_t kNameBytesMax = 255;
constexpr uint32_t kTxtTtlSeconds = 60;  // a value is of use for minutes, and the next one must be seen soon

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string header(uint16_t id, Opcode opcode, uint16_t questions, uint16_t updates) {
  std::string bytes;
  append_u16(bytes, id);
  append_u16(bytes, static_cast<uint16_t>(opcode << 11));
  append_u16(bytes, questions);
  append_u16(bytes, 0);
  append_u16(bytes, updates);  // the authority section is the update section of an UPDATE
  append_u16(bytes, 0);
  return bytes;
}

// Takes a message apart from the front; the first thing that is wrong is kept.
class Reader {
 public:
  explicit Reader(ConstBytes message) : message_(message) {}

  Result<Message> read() {
    if (message_.size() < kHeaderBytes) return failure("the message is shorter than its header");
    if (message_.size() > kMessageBytesMax) return failure("the message is longer than 65535 bytes");
    Message message;
    message.id = read_u16(message_, 0);
    const uint16_t flags = read_u16(message_, 2);
    message.is_response = (flags & 0x8000) != 0;
    message.opcode = flags >> 11 & 0xf;
    message.rcode = flags & 0xf;
    at_ = kHeaderBytes;
    for (unsigned i = read_u16(message_, 4); i > 0; --i) {
      if (const Status status = skip_question(); !status) return std::unexpected(status.error());
    }
    // A count is only a promise: a record that is not there ends the reading.
    for (const auto& [records, count_at] :
         {std::pair{&message.answers, 6}, {&message.authority, 8}, {&message.additional, 10}}) {
      for (unsigned i = read_u16(message_, static_cast<size_t>(count_at)); i > 0; --i) {
        Result<Record> record = read_record();
        if (!record) return std::unexpected(std::move(record.error()));
        records->push_back(std::move(*record));
      }
    }
    if (at_ != message_.size()) return failure("there are bytes behind the last record");
    return message;
  }

 private:
  [[nodiscard]] bool has(size_t size) const { return message_.size() - at_ >= size; }

  Status skip_question() {
    const Result<std::string> name = read_name(message_, at_, message_.size());
    if (!name) return std::unexpected(name.error());
    if (!has(4)) return failure("the message ends inside of a question");
    at_ += 4;
    return {};
  }

  Result<Record> read_record() {
    Record record;
    record.begin = at_;
    Result<std::string> name = read_name(message_, at_, message_.size());
    if (!name) return std::unexpected(std::move(name.error()));
    if (!has(10)) return failure("the message ends inside of a record");
    record.name = std::move(*name);
    record.type = read_u16(message_, at_);
    record.record_class = read_u16(message_, at_ + 2);
    record.ttl = uint32_t{read_u16(message_, at_ + 4)} << 16 | read_u16(message_, at_ + 6);
    record.data_size = read_u16(message_, at_ + 8);
    at_ += 10;
    record.data_begin = at_;
    if (!has(record.data_size)) return failure("the message ends inside of a record");
    at_ += record.data_size;
    return record;
  }

  ConstBytes message_;
  size_t at_ = 0;
};

}  // namespace

std::string rcode_text(uint16_t rcode) {
  switch (rcode) {
    case kNoError: return "NOERROR";
    case kFormErr: return "FORMERR";
    case kServFail: return "SERVFAIL";
    case kNxDomain: return "NXDOMAIN";
    case kNotImp: return "NOTIMP";
    case kRefused: return "REFUSED";
    case kNotAuth: return "NOTAUTH";
    case kNotZone: return "NOTZONE";
    case kBadSig: return "BADSIG";
    case kBadKey: return "BADKEY";
    case kBadTime: return "BADTIME";
    case kBadTrunc: return "BADTRUNC";
    default: return "RCODE " + std::to_string(rcode);
  }
}

Result<std::string> to_wire_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty()) return failure("the name is empty");
  std::string wire;
  while (true) {
    const std::string_view label = text.substr(0, text.find('.'));
    if (label.empty()) return failure("a label is empty");
    if (label.size() > kLabelBytesMax) return failure("a label is longer than 63 characters");
    wire += static_cast<char>(label.size());
    for (const char c : label) {
      if (c <= ' ' || c > '~' || c == '\\') return failure("it has a character that is no visible ASCII");
      wire += lower(c);
    }
    if (label.size() == text.size()) break;
    text.remove_prefix(label.size() + 1);
  }
  wire += '\0';
  if (wire.size() > kNameBytesMax) return failure("it is longer than 253 characters");
  return wire;
}

std::string name_text(std::string_view wire_name) {
  if (is_root(wire_name)) return ".";
  std::string text;
  for (; !is_root(wire_name); wire_name = parent_name(wire_name)) {
    for (const char c : wire_name.substr(1, static_cast<unsigned char>(wire_name[0]))) {
      const bool is_plain = c > ' ' && c <= '~' && c != '.' && c != '\\';
      text += is_plain ? c : '?';
    }
    text += '.';
  }
  return text;
}

std::string_view parent_name(std::string_view wire_name) {
  if (is_root(wire_name)) return wire_name;
  return wire_name.substr(size_t{1} + static_cast<unsigned char>(wire_name[0]));
}

void append_u16(std::string& bytes, uint16_t value) {
  bytes += static_cast<char>(value >> 8);
  bytes += static_cast<char>(value & 0xff);
}

void append_u32(std::string& bytes, uint32_t value) {
  append_u16(bytes, static_cast<uint16_t>(value >> 16));
  append_u16(bytes, static_cast<uint16_t>(value & 0xffff));
}

std::string write_query(uint16_t id, std::string_view name, Type type) {
  std::string bytes = header(id, kOpcodeQuery, 1, 0);
  bytes += name;
  append_u16(bytes, type);
  append_u16(bytes, kClassIn);
  return bytes;
}

std::string write_txt_update(uint16_t id, std::string_view zone, Change change, std::string_view name,
                             std::string_view value) {
  CHECK(value.size() <= 255);
  std::string bytes = header(id, kOpcodeUpdate, 1, 1);
  bytes += zone;
  append_u16(bytes, kTypeSoa);  // RFC 2136 2.3
  append_u16(bytes, kClassIn);
  bytes += name;
  append_u16(bytes, kTypeTxt);
  append_u16(bytes, change == Change::add ? kClassIn : kClassNone);
  append_u32(bytes, change == Change::add ? kTxtTtlSeconds : 0);
  append_u16(bytes, static_cast<uint16_t>(value.size() + 1));
  bytes += static_cast<char>(value.size());
  bytes += value;
  return bytes;
}

Result<Message> read_message(ConstBytes message) { return Reader(message).read(); }

Result<std::string> read_name(ConstBytes message, size_t& at, size_t end) {
  std::string name;
  size_t from = at;
  size_t lowest = at;  // a pointer leads to before everything that was read of this name: no loop
  unsigned jumps = 0;
  while (true) {
    if (from >= end) return failure("the message ends inside of a name");
    const auto size = std::to_integer<uint8_t>(message[from]);
    if (size == 0) {
      if (jumps == 0) at = from + 1;
      name += '\0';
      return name;
    }
    if (size >= 0xc0) {
      if (end - from < 2) return failure("the message ends inside of a name");
      const size_t target = read_u16(message, from) & 0x3fff;
      if (target >= lowest) return failure("a name has a pointer that does not lead backwards");
      if (jumps == 0) at = from + 2;
      if (++jumps > limits::dns_name_jumps_max) return failure("a name has too many pointers");
      from = lowest = target;
      continue;
    }
    if (size > kLabelBytesMax) return failure("a name has a label of an unknown kind");
    if (end - from - 1 < size) return failure("the message ends inside of a name");
    if (name.size() + size + 2 > kNameBytesMax) return failure("a name is longer than 255 bytes");
    name += static_cast<char>(size);
    for (const char c : as_text(message.subspan(from + 1, size))) name += lower(c);
    from += size_t{1} + size;
  }
}

Result<std::string> read_txt(ConstBytes message, const Record& record) {
  std::string_view data = as_text(message.subspan(record.data_begin, record.data_size));
  std::string value;
  while (!data.empty()) {
    const auto size = static_cast<unsigned char>(data[0]);
    if (data.size() - 1 < size) return failure("a TXT record is shorter than the texts in it");
    value += data.substr(1, size);
    data.remove_prefix(size_t{1} + size);
  }
  return value;
}

}  // namespace sluice::dns
