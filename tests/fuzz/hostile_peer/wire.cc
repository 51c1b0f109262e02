#include "wire.h"

#include <openssl/ssl.h>

#include <utility>

namespace sluice::fuzz {
namespace {

constexpr size_t kMessageHeaderBytes = 4;

size_t number_at(std::string_view bytes, size_t at, size_t width) {
  size_t value = 0;
  for (const char c : bytes.substr(at, width)) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

}  // namespace

void Wire::add_protected(std::string_view record, Epoch epoch, Content content) {
  protected_[bytes_.size()] = {bytes_.size() + record.size(), epoch, std::move(content)};
  bytes_ += record;
}

std::vector<ArrivedRecord> Wire::records(size_t size) const {
  const std::string_view bytes = std::string_view(bytes_).substr(0, size);
  std::vector<ArrivedRecord> records;
  for (size_t at = 0; at + kRecordHeaderBytes <= bytes.size();) {
    const size_t end = at + kRecordHeaderBytes + number_at(bytes, at + 3, 2);
    if (end > bytes.size()) break;
    const auto known = protected_.find(at);
    if (known != protected_.end() && known->second.end == end) {
      records.push_back(known->second);
    } else {
      const std::string_view content = bytes.substr(at + kRecordHeaderBytes, end - at - kRecordHeaderBytes);
      records.push_back({end, kPlain, {static_cast<uint8_t>(bytes[at]), std::string(content)}});
    }
    at = end;
  }
  return records;
}

void HandshakeStream::add(Epoch epoch, std::string_view content) {
  bytes_ += content;
  epochs_.append(content.size(), static_cast<char>(epoch));
}

std::vector<HandshakeStream::Message> HandshakeStream::messages() const {
  std::vector<Message> messages;
  for (size_t at = 0; at + kMessageHeaderBytes <= bytes_.size();) {
    const size_t size = kMessageHeaderBytes + number_at(bytes_, at + 1, 3);
    if (size > bytes_.size() - at) break;
    messages.push_back({bytes_.substr(at, size), epochs_.substr(at, size)});
    if (bytes_[at] == SSL3_MT_FINISHED) break;
    at += size;
  }
  return messages;
}

bool HandshakeStream::agrees_until_finished(const HandshakeStream& other) const {
  const std::vector<Message> own = messages();
  std::vector<Message> others = other.messages();
  std::erase_if(others, [](const Message& message) { return message.bytes == std::string(kMessageHeaderBytes, '\0'); });
  return !own.empty() && own.back().bytes[0] == SSL3_MT_FINISHED && own == others;
}

}  // namespace sluice::fuzz
