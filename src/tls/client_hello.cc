#include "tls/client_hello.h"

#include "base/limits.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace sluice::tls {
namespace {

constexpr size_t kRecordHeaderBytes = 5;
constexpr size_t kHandshakeHeaderBytes = 4;
constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kClientHelloMessage = 1;
constexpr size_t kHostBytesMax = 253;  // RFC 1035 2.3.4, in text form

constexpr uint16_t kServerNameExtension = 0;
constexpr uint16_t kSupportedGroupsExtension = 10;
constexpr uint16_t kSignatureAlgorithmsExtension = 13;
constexpr uint16_t kAlpnExtension = 16;
constexpr uint16_t kSupportedVersionsExtension = 43;

// Takes values off the front of a byte string. After the first one that does not fit, ok() is false
// and every further one is empty: a parser reads on and asks once.
class Cursor {
 public:
  explicit Cursor(ConstBytes bytes) noexcept : rest_(bytes) {}

  ConstBytes take(size_t size) noexcept {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const ConstBytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  // Big endian, of 1 to 3 bytes.
  uint32_t number(size_t size) noexcept {
    uint32_t value = 0;
    for (const std::byte byte : take(size)) value = (value << 8) | std::to_integer<uint32_t>(byte);
    return value;
  }

  // The content of a vector<..> with a length field of that size (RFC 8446 3.4).
  ConstBytes vector(size_t length_size) noexcept { return take(number(length_size)); }

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
  [[nodiscard]] size_t remaining() const noexcept { return rest_.size(); }

 private:
  ConstBytes rest_;
  bool ok_ = true;
};

// --- The handshake message, out of its records -----------------------------------------------------

using MessageBuffer = std::array<std::byte, limits::client_hello_bytes_max>;

struct Message {
  HelloStatus status;
  ConstBytes body{};  // complete: points into the input, or into the buffer when there were several records
};

struct RecordHeader {
  HelloStatus status;  // complete: the header is there and is that of a handshake record
  size_t size = 0;     // of the content that it announces
};

RecordHeader read_record_header(ConstBytes bytes, bool is_first) noexcept {
  // Only type and major version of the first record tell TLS from something else; they are looked at as
  // soon as they are there, so that a plain HTTP client need not send five bytes to be told.
  const HelloStatus mismatch = is_first ? HelloStatus::not_tls : HelloStatus::malformed;
  if (!bytes.empty() && std::to_integer<uint8_t>(bytes[0]) != kHandshakeRecord) return {mismatch};
  if (bytes.size() > 1 && std::to_integer<uint8_t>(bytes[1]) != 3) return {mismatch};
  if (bytes.size() < kRecordHeaderBytes) return {HelloStatus::need_more};
  Cursor header(bytes.subspan(3));
  const size_t size = header.number(2);
  // RFC 8446 5.1: no empty fragments of handshake messages, and at most 2^14 bytes.
  if (size == 0 || size > limits::tls_plaintext_bytes) return {HelloStatus::malformed};
  return {HelloStatus::complete, size};
}

// What a message of which `message` has arrived so far is: complete, a beginning, or nothing we take.
// Sets `size` to the size of its body when that is known.
HelloStatus judge_message(ConstBytes message, std::optional<size_t>& size) noexcept {
  if (!message.empty() && std::to_integer<uint8_t>(message[0]) != kClientHelloMessage) return HelloStatus::malformed;
  if (message.size() < kHandshakeHeaderBytes) return HelloStatus::need_more;
  Cursor header(message.subspan(1));
  size = header.number(3);
  if (*size > limits::client_hello_bytes_max - kRecordHeaderBytes - kHandshakeHeaderBytes)
    return HelloStatus::malformed;
  return message.size() - kHandshakeHeaderBytes >= *size ? HelloStatus::complete : HelloStatus::need_more;
}

// `bytes` is at most limits::client_hello_bytes_max long.
Message find_message(ConstBytes bytes, MessageBuffer& buffer) noexcept {
  const bool may_grow = bytes.size() < limits::client_hello_bytes_max;
  const Message wait{may_grow ? HelloStatus::need_more : HelloStatus::malformed};
  ConstBytes gathered;
  for (bool is_first = true;; is_first = false) {
    const RecordHeader record = read_record_header(bytes, is_first);
    if (record.status == HelloStatus::need_more) return wait;
    if (record.status != HelloStatus::complete) return {record.status};
    bytes = bytes.subspan(kRecordHeaderBytes);
    const ConstBytes fragment = bytes.first(std::min(record.size, bytes.size()));
    bytes = bytes.subspan(fragment.size());
    if (is_first) {
      gathered = fragment;
    } else {
      // It fits: all fragments together are shorter than the input, which is no longer than the buffer.
      if (gathered.data() != buffer.data()) std::ranges::copy(gathered, buffer.data());
      std::ranges::copy(fragment, buffer.data() + gathered.size());
      gathered = ConstBytes(buffer).first(gathered.size() + fragment.size());
    }
    std::optional<size_t> size;
    const HelloStatus status = judge_message(gathered, size);
    if (status == HelloStatus::complete) return {status, gathered.subspan(kHandshakeHeaderBytes, *size)};
    if (status != HelloStatus::need_more) return {status};
    if (fragment.size() < record.size) return wait;
  }
}

// --- The message -----------------------------------------------------------------------------------

// Letters, digits, hyphens, dots, and the underscore that is found in the wild; no empty label. Writes
// the name in lower case.
bool read_host_name(ConstBytes name, ClientHello& hello) noexcept {
  std::string_view text = as_text(name);
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kHostBytesMax) return false;
  char previous = '.';
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool is_label_character = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!is_label_character && (c != '.' || previous == '.')) return false;
    hello.name_storage[i] = c;
    previous = c;
  }
  if (previous == '.') return false;
  hello.server_name = {hello.name_storage.data(), text.size()};
  return true;
}

// RFC 6066 3. Name types other than host_name are skipped; there is at most one name of a type.
bool read_server_name(ConstBytes extension, ClientHello& hello) noexcept {
  Cursor cursor(extension);
  Cursor names(cursor.vector(2));
  if (!cursor.ok() || !cursor.at_end() || names.at_end()) return false;
  while (!names.at_end()) {
    const uint32_t type = names.number(1);
    const ConstBytes name = names.vector(2);
    if (!names.ok()) return false;
    if (type != 0) continue;
    if (!hello.server_name.empty() || !read_host_name(name, hello)) return false;
  }
  return true;
}

// RFC 7301 3.1
bool read_alpn(ConstBytes extension, ClientHello& hello) noexcept {
  Cursor cursor(extension);
  Cursor names(cursor.vector(2));
  if (!cursor.ok() || !cursor.at_end() || names.at_end()) return false;
  size_t count = 0;
  bool lists_acme_tls = false;
  for (; !names.at_end(); ++count) {
    const std::string_view name = as_text(names.vector(1));
    if (!names.ok() || name.empty()) return false;
    if (name == "h2") hello.offers_http2 = true;
    if (name == acme_tls_alpn) lists_acme_tls = true;
  }
  hello.offers_acme_tls = lists_acme_tls && count == 1;
  return true;
}

// RFC 8446 4.2.1
bool read_supported_versions(ConstBytes extension, ClientHello& hello) noexcept {
  Cursor cursor(extension);
  Cursor versions(cursor.vector(1));
  if (!cursor.ok() || !cursor.at_end() || versions.at_end() || versions.remaining() % 2 != 0) return false;
  while (!versions.at_end()) {
    if (versions.number(2) == 0x0304) hello.offers_tls_1_3 = true;
  }
  return true;
}

// RFC 8446 4.2.3: the schemes of ECDSA name curve and hash. In TLS 1.2 only the hash is meant.
bool read_signature_algorithms(ConstBytes extension, ClientHello& hello) noexcept {
  Cursor cursor(extension);
  Cursor schemes(cursor.vector(2));
  if (!cursor.ok() || !cursor.at_end() || schemes.at_end() || schemes.remaining() % 2 != 0) return false;
  while (!schemes.at_end()) {
    switch (schemes.number(2)) {
      case 0x0403: hello.ecdsa_curves |= kCurveP256; break;
      case 0x0503: hello.ecdsa_curves |= kCurveP384; break;
      case 0x0603: hello.ecdsa_curves |= kCurveP521; break;
      default: break;
    }
  }
  return true;
}

// RFC 8446 4.2.7
bool read_supported_groups(ConstBytes extension, ClientHello& hello) noexcept {
  Cursor cursor(extension);
  Cursor groups(cursor.vector(2));
  if (!cursor.ok() || !cursor.at_end() || groups.at_end() || groups.remaining() % 2 != 0) return false;
  hello.curves = 0;
  while (!groups.at_end()) {
    switch (groups.number(2)) {
      case 23: hello.curves |= kCurveP256; break;
      case 24: hello.curves |= kCurveP384; break;
      case 25: hello.curves |= kCurveP521; break;
      default: break;
    }
  }
  return true;
}

void read_cipher_suites(ConstBytes list, ClientHello& hello) noexcept {
  Cursor suites(list);
  while (!suites.at_end()) {
    const auto found = std::ranges::find(kEcdsaSuites, suites.number(2));
    if (found != kEcdsaSuites.end())
      hello.ecdsa_suites = static_cast<uint8_t>(hello.ecdsa_suites | 1U << (found - kEcdsaSuites.begin()));
  }
}

bool read_extensions(ConstBytes bytes, ClientHello& hello) noexcept {
  Cursor extensions(bytes);
  bool seen_server_name = false;
  bool seen_alpn = false;
  bool seen_versions = false;
  bool seen_algorithms = false;
  bool seen_groups = false;
  while (!extensions.at_end()) {
    const uint32_t type = extensions.number(2);
    const ConstBytes content = extensions.vector(2);
    if (!extensions.ok()) return false;
    // RFC 8446 4.2: no extension twice. wolfSSL checks the others.
    switch (type) {
      case kServerNameExtension:
        if (std::exchange(seen_server_name, true) || !read_server_name(content, hello)) return false;
        break;
      case kAlpnExtension:
        if (std::exchange(seen_alpn, true) || !read_alpn(content, hello)) return false;
        break;
      case kSupportedVersionsExtension:
        if (std::exchange(seen_versions, true) || !read_supported_versions(content, hello)) return false;
        break;
      case kSignatureAlgorithmsExtension:
        if (std::exchange(seen_algorithms, true) || !read_signature_algorithms(content, hello)) return false;
        break;
      case kSupportedGroupsExtension:
        if (std::exchange(seen_groups, true) || !read_supported_groups(content, hello)) return false;
        break;
      default: break;
    }
  }
  return true;
}

// RFC 8446 4.1.2; RFC 5246 7.4.1.2, which knows a ClientHello without extensions.
bool read_body(ConstBytes body, ClientHello& hello) noexcept {
  Cursor cursor(body);
  hello.legacy_version = static_cast<uint16_t>(cursor.number(2));
  cursor.take(32);  // random
  const ConstBytes session_id = cursor.vector(1);
  const ConstBytes cipher_suites = cursor.vector(2);
  const ConstBytes compression_methods = cursor.vector(1);
  if (!cursor.ok() || hello.legacy_version >> 8 != 3 || session_id.size() > 32) return false;
  if (cipher_suites.empty() || cipher_suites.size() % 2 != 0 || compression_methods.empty()) return false;
  read_cipher_suites(cipher_suites, hello);
  if (cursor.at_end()) return true;
  const ConstBytes extensions = cursor.vector(2);
  return cursor.ok() && cursor.at_end() && read_extensions(extensions, hello);
}

}  // namespace

HelloStatus read_client_hello(ConstBytes bytes, ClientHello& hello) noexcept {
  hello.server_name = {};
  hello.offers_http2 = hello.offers_acme_tls = hello.offers_tls_1_3 = false;
  hello.legacy_version = 0;
  hello.ecdsa_curves = hello.ecdsa_suites = 0;
  hello.curves = kAllCurves;

  MessageBuffer buffer;
  const Message message = find_message(bytes.first(std::min(bytes.size(), limits::client_hello_bytes_max)), buffer);
  hello.status = message.status;
  if (hello.status == HelloStatus::complete && !read_body(message.body, hello)) {
    hello.status = HelloStatus::malformed;
    hello.server_name = {};
  }
  return hello.status;
}

}  // namespace sluice::tls
