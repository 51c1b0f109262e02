#include "editor.h"

#include "message_editor.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::fuzz {
namespace {

using namespace std::string_literals;

constexpr size_t kPlaintextBytes = 16 * 1024;  // RFC 8446 5.1
constexpr size_t kFloodStep = 16;
constexpr size_t kInjectedBytesMax = 512;
constexpr size_t kMessageHeaderBytes = 4;
constexpr size_t kKeyUpdateBytes = kMessageHeaderBytes + 1;

// What may come between the records of a peer.
const std::array kInjections{
    Content{SSL3_RT_HANDSHAKE, "\x18\0\0\x01\0"s},    // KeyUpdate
    Content{SSL3_RT_HANDSHAKE, "\x18\0\0\x01\x01"s},  // that asks for another one
    Content{SSL3_RT_HANDSHAKE, "\x18\0\0\x01\x02"s},  // that has no meaning
    Content{SSL3_RT_HANDSHAKE, "\0\0\0\0"s},          // HelloRequest
    Content{SSL3_RT_HANDSHAKE, ""},
    Content{SSL3_RT_APPLICATION_DATA, ""},
    Content{SSL3_RT_APPLICATION_DATA, "from nowhere"},
    Content{SSL3_RT_CHANGE_CIPHER_SPEC, "\x01"},
    Content{SSL3_RT_CHANGE_CIPHER_SPEC, "\x01\x01"},
    Content{SSL3_RT_ALERT, "\x01\0"s},                                                // close_notify
    Content{SSL3_RT_ALERT, "\x01\x5a"},                                               // user_canceled
    Content{SSL3_RT_ALERT, "\x01\x64"},                                               // no_renegotiation
    Content{SSL3_RT_ALERT, "\x02\x28"},                                               // handshake_failure
    Content{SSL3_RT_ALERT, "\x01"},                                                   // half of one
    Content{SSL3_RT_HANDSHAKE, "\x0e\0\0\0"s},                                        // ServerHelloDone
    Content{SSL3_RT_HANDSHAKE, "\x05\0\0\0"s},                                        // EndOfEarlyData
    Content{SSL3_RT_HANDSHAKE, "\x0d\0\0\x0b\0\0\x08\0\x0d\0\x04\0\x02\x08\x04"s},    // CertificateRequest, TLS 1.3
    Content{SSL3_RT_HANDSHAKE, "\x04\0\0\x11\0\0\x1c\x20\0\0\0\0\0\0\x04tick\0\0"s},  // NewSessionTicket, TLS 1.3
    Content{SSL3_RT_HANDSHAKE, "\x0b\0\0\x04\0\0\0\0"s},                  // Certificate without any, TLS 1.3
    Content{SSL3_RT_HANDSHAKE, "\x0b\0\0\x03\0\0\0"s},                    // the same, TLS 1.2
    Content{SSL3_RT_HANDSHAKE, "\x14\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0"s},  // Finished
    Content{SSL3_RT_HANDSHAKE, "\x16\0\0\x05\x01\0\0\x01\0"s},            // CertificateStatus
};

// What becomes of one record.
enum class Change : uint8_t {
  nothing,
  content,
  injection,  // something comes before it
  ciphertext,
  dropped,
  twice,
  overtaken,  // by the next one
  joined,     // to the next one
  split,
  padded,
  type,
  version,
  epoch,
  earlier_content,
};
constexpr size_t kChanges = 14;

bool is_harmless(Change change) {
  return change == Change::nothing || change == Change::split || change == Change::joined || change == Change::padded;
}

// It needs the keys of the record.
bool is_inside(Change change) {
  return change == Change::content || change == Change::type || change == Change::epoch ||
         change == Change::earlier_content;
}

bool may_be_cut(uint8_t type) { return type == SSL3_RT_HANDSHAKE || type == SSL3_RT_APPLICATION_DATA; }

}  // namespace

// --- From the peer ---------------------------------------------------------------------------------

void Editor::pass(std::string_view output) {
  unread_ += output;
  while (unread_.size() >= kRecordHeaderBytes) {
    const size_t size = static_cast<size_t>(static_cast<uint8_t>(unread_[3]) << 8 | static_cast<uint8_t>(unread_[4])) +
                        kRecordHeaderBytes;
    if (unread_.size() < size) return;
    Record record = read(std::string_view(unread_).substr(0, size));
    unread_.erase(0, size);
    edit(std::move(record));
  }
}

Editor::Record Editor::read(std::string_view bytes) {
  Record record;
  record.version = static_cast<uint16_t>(static_cast<uint8_t>(bytes[1]) << 8 | static_cast<uint8_t>(bytes[2]));
  record.content = {static_cast<uint8_t>(bytes[0]), std::string(bytes.substr(kRecordHeaderBytes))};
  const bool is_protected =
      keys_.is_tls_1_3() ? record.content.type == SSL3_RT_APPLICATION_DATA : saw_change_cipher_spec_;
  if (is_protected) {
    if (std::optional<Content> content = open(bytes)) {
      record.content = std::move(*content);
      record.epoch = current_epoch();
    } else {
      record.is_opaque = has_opaque_records_ = true;
      record.epoch = kHandshake;
    }
  } else if (record.content.type == SSL3_RT_CHANGE_CIPHER_SPEC && !keys_.is_tls_1_3()) {
    saw_change_cipher_spec_ = true;
  }
  return record;
}

std::optional<Content> Editor::open(std::string_view bytes) {
  if (reader_) {
    if (auto content = reader_->open(bytes)) return content;
  }
  auto next = read_epoch_ < kApplication ? keys_.keys(read_epoch_ + 1) : reader_->next();
  if (!next) return std::nullopt;
  auto content = next->open(bytes);
  if (!content) return std::nullopt;
  reader_ = std::move(next);
  ++read_epoch_;
  return content;
}

// The peer's own KeyUpdates count when they are sent on.
Epoch Editor::current_epoch() const { return read_epoch_ < kApplication ? read_epoch_ : application_epoch_; }

// --- Changes ---------------------------------------------------------------------------------------

namespace {

// What of a record belongs to the handshake. Where nobody can read it, it is the Finished of a suite that is no AEAD.
std::string message_of(const Content& content, bool is_opaque) {
  if (!is_opaque) return content.bytes;
  const size_t size = content.bytes.size();
  return std::string{SSL3_MT_FINISHED, '\0', static_cast<char>(size >> 8), static_cast<char>(size)} + content.bytes;
}

}  // namespace

void Editor::edit(Record record) {
  if (record.content.type == SSL3_RT_HANDSHAKE)
    handshake_.add(record.epoch, message_of(record.content, record.is_opaque));
  past_.push_back(record.content);
  const Holding holding = std::exchange(holding_, Holding::nothing);
  Record held = std::move(held_);
  if (holding == Holding::to_be_joined && !join(held, record)) send(held);
  change(std::move(record));
  if (holding == Holding::to_be_overtaken) send(held);
}

void Editor::change(Record record) {
  auto wanted = static_cast<Change>(program_.number(kChanges));
  if (record.is_opaque && is_inside(wanted)) wanted = Change::ciphertext;
  is_faithful_ = is_faithful_ && is_harmless(wanted);
  switch (wanted) {
    case Change::nothing: break;
    case Change::content: edit_content(record.content, program_, keys_.is_tls_1_3()); break;
    case Change::injection: inject(); break;
    case Change::ciphertext: change_ciphertext(record); return;
    case Change::dropped: return;
    case Change::twice: send(record); break;
    case Change::overtaken:
    case Change::joined:
      holding_ = wanted == Change::joined ? Holding::to_be_joined : Holding::to_be_overtaken;
      held_ = std::move(record);
      return;
    case Change::split: split(record); return;
    case Change::padded: record.padding = program_.number(1 << 10); break;
    case Change::type: record.content.type = program_.byte(); break;
    case Change::version: record.version = static_cast<uint16_t>(program_.number(1 << 16)); break;
    case Change::epoch: record.epoch = static_cast<Epoch>(program_.number(application_epoch_ + 2)); break;
    case Change::earlier_content: record.content = past_[program_.number(past_.size())]; break;
  }
  if (record.content.bytes.size() + record.padding > kPlaintextBytes) is_faithful_ = false;
  send(record);
}

void Editor::change_ciphertext(const Record& record) {
  const std::string sealed = seal(record);
  std::string bytes = sealed;
  const size_t at = program_.number(bytes.size());
  switch (program_.number(5)) {
    case 0: bytes[at] = static_cast<char>(static_cast<uint8_t>(bytes[at]) ^ (1 + program_.number(255))); break;
    case 1: bytes.resize(at); break;
    case 2: bytes.insert(at, program_.text(1 + program_.number(kRecordHeaderBytes))); break;
    case 3: bytes[kRecordHeaderBytes - 1] = static_cast<char>(program_.byte()); break;  // the length
    default: bytes += bytes;  // seen by the way, and sent once more
  }
  if (bytes.starts_with(sealed)) {  // unchanged, whatever follows it
    send_sealed(record, sealed);
    bytes.erase(0, sealed.size());
  }
  wire_.add(bytes);
}

// Into two records.
void Editor::split(const Record& record) {
  const std::string& content = record.content.bytes;
  if (record.is_opaque || content.size() < 2 || !may_be_cut(record.content.type)) {
    send(record);
    return;
  }
  const size_t at = 1 + program_.number(content.size() - 1);
  // wolfSSL wants the whole header of a message in one record, and the whole message when TLS 1.2 protects it.
  const bool is_protected_tls_1_2 = record.epoch != kPlain && !keys_.is_tls_1_3();
  if (record.content.type == SSL3_RT_HANDSHAKE && (at < kMessageHeaderBytes || is_protected_tls_1_2))
    is_faithful_ = false;
  Record part = record;
  part.content.bytes = content.substr(0, at);
  send(part);
  part.content.bytes = content.substr(at);
  send(part);
}

bool Editor::join(Record& held, Record& record) {
  const size_t size = held.content.bytes.size() + record.content.bytes.size();
  if (held.is_opaque || record.is_opaque || held.epoch != record.epoch || held.content.type != record.content.type ||
      size > kPlaintextBytes)
    return false;
  // Alerts come one by one, and new keys begin with a new record (RFC 8446 5.1).
  const bool may_update_keys = record.content.type == SSL3_RT_HANDSHAKE && record.epoch >= kApplication;
  if (!may_be_cut(record.content.type) || may_update_keys) is_faithful_ = false;
  record.content.bytes.insert(0, held.content.bytes);
  return true;
}

void Editor::flush() {
  if (std::exchange(holding_, Holding::nothing) != Holding::nothing) send(held_);
}

void Editor::inject() {
  is_faithful_ = false;
  const size_t choice = program_.number(kInjections.size() + 3);
  Record record;
  record.epoch = current_epoch();
  if (choice < kInjections.size()) {
    record.content = kInjections[choice];
  } else if (choice == kInjections.size()) {
    wire_.add(program_.text(program_.number(kInjectedBytesMax)));
    return;
  } else {
    const bool is_message = choice == kInjections.size() + 1;
    record.content.type = is_message ? SSL3_RT_HANDSHAKE : program_.byte();
    record.content.bytes = program_.text(program_.number(kInjectedBytesMax));
    if (record.content.bytes.size() > kInjectedBytesMax / 2) record.epoch = kPlain;
  }
  const uint8_t how = program_.byte();
  if (how & 1) record.epoch = how >> 7 == 0 ? kPlain : record.epoch + 1;
  const size_t times = (how & 2) != 0 ? 1 + program_.byte() * kFloodStep : 1;
  for (size_t i = 0; i < times; ++i) {
    send(record);
    if (record.epoch >= kApplication && (how & 1) == 0) record.epoch = current_epoch();
  }
}

// --- To the session --------------------------------------------------------------------------------

std::string_view Editor::take() {
  const std::string_view fresh = std::string_view(wire_.bytes()).substr(taken_);
  taken_ = wire_.bytes().size();
  return fresh;
}

RecordProtection* Editor::writer(Epoch epoch) {
  if (writers_.size() <= epoch) writers_.resize(epoch + 1);
  if (!writers_[epoch]) {
    if (epoch <= kApplication) {
      writers_[epoch] = keys_.keys(epoch);
    } else if (const RecordProtection* before = writer(epoch - 1); before != nullptr && keys_.is_tls_1_3()) {
      writers_[epoch] = before->next();
    }
  }
  return writers_[epoch] ? &*writers_[epoch] : nullptr;
}

// Without keys as it is: what is opaque, and what comes before there are any.
std::string Editor::seal(const Record& record) {
  RecordProtection* protection = record.epoch == kPlain || record.is_opaque ? nullptr : writer(record.epoch);
  return protection == nullptr ? plain_record(record.content.type, record.version, record.content.bytes)
                               : protection->seal(record.content, record.padding);
}

namespace {

// RFC 8446 5.4: a type of 0 is padding, as are the zeros before it, and the last byte that is none is the type.
Content without_padding(Content content) {
  const size_t end = content.bytes.find_last_not_of('\0');
  if (end == std::string::npos) return content;
  content.type = static_cast<uint8_t>(content.bytes[end]);
  content.bytes.resize(end);
  return content;
}

}  // namespace

void Editor::send(const Record& record) { send_sealed(record, seal(record)); }

void Editor::send_sealed(const Record& record, std::string_view bytes) {
  const bool is_protected = record.is_opaque || (record.epoch != kPlain && writer(record.epoch) != nullptr);
  if (!is_protected) {
    wire_.add(bytes);
    return;
  }
  Content content{record.content.type, message_of(record.content, record.is_opaque)};
  if (keys_.is_tls_1_3() && content.type == 0) content = without_padding(std::move(content));
  if (keys_.is_tls_1_3() && record.epoch == application_epoch_ && content.type == SSL3_RT_HANDSHAKE)
    follow_key_updates(content.bytes);
  wire_.add_protected(bytes, record.epoch, std::move(content));
}

// RFC 8446 4.6.3: the next record after it has the next keys.
void Editor::follow_key_updates(std::string_view content) {
  unfinished_message_ += content;
  std::string_view rest = unfinished_message_;
  bool is_update = false;
  while (rest.size() >= kMessageHeaderBytes) {
    const size_t size =
        kMessageHeaderBytes + (static_cast<size_t>(static_cast<uint8_t>(rest[1])) << 16 |
                               static_cast<size_t>(static_cast<uint8_t>(rest[2])) << 8 | static_cast<uint8_t>(rest[3]));
    if (size > rest.size()) break;
    is_update = rest[0] == SSL3_MT_KEY_UPDATE && size == kKeyUpdateBytes && static_cast<uint8_t>(rest[4]) <= 1;
    rest.remove_prefix(size);
  }
  unfinished_message_ = rest;
  if (is_update && unfinished_message_.empty()) ++application_epoch_;
}

}  // namespace sluice::fuzz
