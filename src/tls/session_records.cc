// Records of application data that do not pass through wolfSSL: those of TLS 1.3 with AES-GCM, where the processor is
// good at it. They are sealed from where the content is to where it is sent from; those that lie whole in one receive
// buffer are opened to where they are read. wolfSSL has the keys and counts the records; everything else (other suites
// and versions, records in pieces, alerts, new keys, bad records) is left to it.
#include "tls/session.h"

#include "base/check.h"
#include "base/limits.h"
#include "tls/record_cipher.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/types.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace sluice::tls {
namespace {

constexpr int kRead = 0;
constexpr int kWrite = 1;

// RFC 8446 5.2
constexpr size_t kHeaderBytes = 5;
constexpr std::byte kApplicationData{23};
constexpr std::byte kVersion{3};  // both bytes of the legacy one

struct RecordKey {
  ConstBytes key;
  std::array<std::byte, gcm_nonce_bytes> nonce;
};

// Of the session's next record in that direction; none: it is wolfSSL's to do.
std::optional<RecordKey> next_record_key(WOLFSSL* ssl, int direction) noexcept {
  if (!can_protect_records()) return std::nullopt;
  const unsigned char* key = nullptr;
  int size = 0;
  RecordKey result{};
  auto* nonce = reinterpret_cast<unsigned char*>(result.nonce.data());
  // The copy of the key that it gives is one that only the ciphers of a device have (tls/crypto_device).
  if (wolfSSL_CTX_GetDevId(nullptr, ssl) == INVALID_DEVID) return std::nullopt;
  if (wolfSSL_OwnRecordKey(ssl, direction, &key, &size, nonce) == 0) return std::nullopt;
  CHECK(size == 16 || size == 32);
  result.key = {reinterpret_cast<const std::byte*>(key), static_cast<size_t>(size)};
  return result;
}

}  // namespace

bool Session::seal(ConstBytes content, const ByteSink& output) noexcept {
  const std::optional<RecordKey> next = next_record_key(ssl_, kWrite);
  if (!next) return false;
  const size_t sealed_bytes = content.size() + 1 + gcm_tag_bytes;
  std::byte* const header = output.reserve(output.owner, kHeaderBytes + sealed_bytes).data();
  header[0] = kApplicationData;
  header[1] = header[2] = kVersion;
  header[3] = static_cast<std::byte>(sealed_bytes >> 8);
  header[4] = static_cast<std::byte>(sealed_bytes);
  std::byte* const sealed = header + kHeaderBytes;
  encrypt_record(next->key, next->nonce.data(), {header, kHeaderBytes}, content, kApplicationData, sealed,
                 sealed + content.size() + 1);
  wolfSSL_OwnRecordDone(ssl_, kWrite);
  output.commit(output.owner, kHeaderBytes + sealed_bytes);
  return true;
}

size_t Session::open(ConstBytes& input, MutableBytes plaintext) noexcept {
  if (input.size() < kHeaderBytes || input[0] != kApplicationData || input[1] != kVersion || input[2] != kVersion)
    return 0;
  const size_t sealed_bytes = std::to_integer<size_t>(input[3]) << 8 | std::to_integer<size_t>(input[4]);
  if (sealed_bytes > input.size() - kHeaderBytes || sealed_bytes < gcm_tag_bytes) return 0;
  const ConstBytes sealed = input.subspan(kHeaderBytes, sealed_bytes - gcm_tag_bytes);
  if (sealed.size() > std::min(plaintext.size(), limits::tls_plaintext_bytes + 1)) return 0;  // 5.2, 5.4
  const std::optional<RecordKey> next = next_record_key(ssl_, kRead);
  if (!next || !decrypt_record(next->key, next->nonce.data(), input.first(kHeaderBytes), sealed,
                               sealed.data() + sealed.size(), plaintext.data()))
    return 0;  // of a bad record wolfSSL says so once more, with its alert

  size_t size = sealed.size();
  while (size > 0 && plaintext[size - 1] == std::byte{0}) --size;  // padding (5.4)
  // The last byte is the type. What is of another one, or empty, wolfSSL has yet to see.
  if (size < 2 || plaintext[size - 1] != kApplicationData) {
    explicit_bzero(plaintext.data(), sealed.size());
    return 0;
  }
  wolfSSL_OwnRecordDone(ssl_, kRead);
  input = input.subspan(kHeaderBytes + sealed_bytes);
  return size - 1;
}

}  // namespace sluice::tls
