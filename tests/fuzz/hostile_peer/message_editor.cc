#include "message_editor.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace sluice::fuzz {
namespace {

constexpr size_t kHeaderBytes = 4;
constexpr size_t kRandomBytes = 32;
constexpr size_t kEditBytesMax = 48;

// A length field: where, and how wide.
struct Length {
  size_t at;
  size_t width;
};

size_t get(std::string_view text, Length length) {
  size_t value = 0;
  for (size_t i = 0; i < length.width; ++i) value = value << 8 | static_cast<uint8_t>(text[length.at + i]);
  return value;
}

void set(std::string& text, Length length, size_t value) {
  for (size_t i = length.width; i-- > 0; value >>= 8) text[length.at + i] = static_cast<char>(value);
}

// --- Extensions ------------------------------------------------------------------------------------

// Goes over the fields of a message; after a field that is not whole it is nowhere.
class Fields {
 public:
  Fields(std::string_view text, size_t at) : text_(text), at_(at) {}

  void skip(size_t size) { at_ = size <= text_.size() - std::min(at_, text_.size()) ? at_ + size : text_.size() + 1; }
  // A length of that width, and what it is the length of.
  void skip_vector(size_t width) {
    const Length length{at_, width};
    skip(width);
    if (is_inside()) skip(get(text_, length));
  }
  [[nodiscard]] bool is_inside() const { return at_ <= text_.size(); }
  [[nodiscard]] size_t at() const { return at_; }

 private:
  std::string_view text_;
  size_t at_;
};

// The length of a message's extensions and those around it, from the outside to the inside; empty: it has none.
std::vector<Length> lengths_around_extensions(std::string_view text, bool is_tls_1_3) {
  std::vector<Length> lengths{{1, 3}};
  Fields fields(text, kHeaderBytes);
  switch (text[0]) {
    case SSL3_MT_CLIENT_HELLO:
      fields.skip(2 + kRandomBytes);
      fields.skip_vector(1);  // session id
      fields.skip_vector(2);  // suites
      fields.skip_vector(1);  // compression methods
      break;
    case SSL3_MT_SERVER_HELLO:
      fields.skip(2 + kRandomBytes);
      fields.skip_vector(1);
      fields.skip(2 + 1);
      break;
    case SSL3_MT_ENCRYPTED_EXTENSIONS: break;
    case SSL3_MT_CERTIFICATE_REQUEST:
      if (!is_tls_1_3) return {};
      fields.skip_vector(1);  // context
      break;
    case SSL3_MT_NEWSESSION_TICKET:
      if (!is_tls_1_3) return {};
      fields.skip(4 + 4);
      fields.skip_vector(1);  // nonce
      fields.skip_vector(2);  // ticket
      break;
    case SSL3_MT_CERTIFICATE:  // the extensions of the leaf
      if (!is_tls_1_3) return {};
      fields.skip_vector(1);  // context
      lengths.push_back({fields.at(), 3});
      fields.skip(3);
      fields.skip_vector(3);
      break;
    default: return {};
  }
  lengths.push_back({fields.at(), 2});
  fields.skip_vector(2);
  if (!fields.is_inside()) return {};
  return lengths;
}

// Type, length and data of each.
std::vector<std::string> split_extensions(std::string_view text) {
  std::vector<std::string> extensions;
  while (text.size() >= 4) {
    const size_t size = std::min(4 + get(text, {2, 2}), text.size());
    extensions.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return extensions;
}

std::string extension(uint16_t type, const std::string& data) {
  std::string text(4, '\0');
  set(text, {0, 2}, type);
  set(text, {2, 2}, data.size());
  return text + data;
}

uint16_t type_of(std::string_view extension) { return static_cast<uint16_t>(get(extension, {0, 2})); }

void edit_list(std::vector<std::string>& extensions, Program& program) {
  const size_t at = program.number(extensions.size());
  const auto place = extensions.begin() + static_cast<std::ptrdiff_t>(at);
  switch (program.number(7)) {
    case 0: *place = extension(type_of(*place), program.text(program.number(kEditBytesMax))); break;
    case 1: extensions.erase(place); break;
    case 2: extensions.insert(place, std::string(*place)); break;
    case 3: std::rotate(place, place + 1, extensions.end()); break;
    case 4: set(*place, {0, 2}, program.number(1 << 16)); break;
    case 5: {
      const auto type = static_cast<uint16_t>(program.number(1 << 16));
      extensions.insert(place, extension(type, program.text(program.number(kEditBytesMax))));
      break;
    }
    default: {  // one byte of its data
      if (place->size() == 4) break;
      char& byte = (*place)[4 + program.number(place->size() - 4)];
      byte = static_cast<char>(program.byte());
    }
  }
}

bool edit_extensions(std::string& content, Program& program, bool is_tls_1_3) {
  const std::vector<Length> lengths = lengths_around_extensions(content, is_tls_1_3);
  if (lengths.empty()) return false;
  const size_t start = lengths.back().at + lengths.back().width;
  const size_t size = get(content, lengths.back());
  std::vector<std::string> extensions = split_extensions(std::string_view(content).substr(start, size));
  if (extensions.empty()) extensions.emplace_back(4, '\0');
  edit_list(extensions, program);
  std::string joined;
  for (const std::string& each : extensions) joined += each;
  content.replace(start, size, joined);
  for (const Length length : lengths) set(content, length, get(content, length) + joined.size() - size);
  return true;
}

}  // namespace

void edit_content(Content& content, Program& program, bool is_tls_1_3) {
  enum Edit : uint8_t { extensions, replace, insert, erase, fill, type, length, append, count };
  std::string& text = content.bytes;
  const size_t edit = program.number(count);
  const bool is_message = content.type == SSL3_RT_HANDSHAKE && text.size() >= kHeaderBytes;
  if (edit == extensions && is_message && edit_extensions(text, program, is_tls_1_3)) return;
  const size_t before = text.size();
  const size_t at = program.number(before);
  const size_t size = 1 + program.number(kEditBytesMax);
  const size_t size_inside = std::min(size, before - at);
  switch (edit) {
    case insert: text.insert(at, program.text(size)); break;
    case erase: text.erase(at, size_inside); break;
    case fill: text.replace(at, size_inside, size_inside, '\xff'); break;
    case append: text += program.text(size); return;
    case type:
      if (is_message) text[0] = static_cast<char>(program.byte());
      return;
    case length:
      if (is_message) set(text, {1, 3}, get(text, {1, 3}) + size - kEditBytesMax / 2);
      return;
    default: {
      const std::string bytes = program.text(size_inside);
      text.replace(at, bytes.size(), bytes);
    }
  }
  // What reaches into the header stays as it is.
  if (is_message && at >= kHeaderBytes) set(text, {1, 3}, get(text, {1, 3}) + text.size() - before);
}

}  // namespace sluice::fuzz
