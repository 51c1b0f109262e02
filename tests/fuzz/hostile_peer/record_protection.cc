#include "record_protection.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <memory>
#include <utility>

namespace sluice::fuzz {
namespace {

constexpr size_t kTagBytes = 16;
constexpr size_t kNonceBytes = 12;
constexpr size_t kExplicitNonceBytes = 8;
constexpr uint16_t kTls12 = 0x0303;  // and what the records of TLS 1.3 say

struct Free {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string big_endian(uint64_t value, size_t width) {
  std::string text(width, '\0');
  for (size_t i = width; i-- > 0; value >>= 8) text[i] = static_cast<char>(value);
  return text;
}

// --- Keys ------------------------------------------------------------------------------------------

std::string hmac(const EVP_MD* hash, std::string_view key, std::string_view text) {
  std::string mac(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  CHECK(HMAC(hash, key.data(), static_cast<int>(key.size()), bytes_of(text), text.size(), bytes_of(mac), &size) !=
        nullptr);
  mac.resize(size);
  return mac;
}

// HKDF-Expand-Label without a context (RFC 8446 7.1); what is wanted never exceeds one block.
std::string expand(const EVP_MD* hash, std::string_view secret, std::string_view label, size_t size) {
  const std::string full_label = "tls13 " + std::string(label);
  std::string info = big_endian(size, 2);
  info += static_cast<char>(full_label.size());
  info += full_label;
  info += '\0';
  info += '\x01';
  return hmac(hash, secret, info).substr(0, size);
}

// RFC 5246 5
std::string pseudorandom(const EVP_MD* hash, std::string_view secret, std::string_view seed, size_t size) {
  std::string text;
  for (std::string block(seed); text.size() < size;) {
    block = hmac(hash, secret, block);
    text += hmac(hash, secret, block + std::string(seed));
  }
  text.resize(size);
  return text;
}

// --- AEAD ------------------------------------------------------------------------------------------

std::unique_ptr<EVP_CIPHER_CTX, Free> start(const EVP_CIPHER* cipher, std::string_view key, std::string_view nonce,
                                            std::string_view associated, int encrypts) {
  std::unique_ptr<EVP_CIPHER_CTX, Free> context(EVP_CIPHER_CTX_new());
  int size = 0;
  CHECK(EVP_CipherInit_ex(context.get(), cipher, nullptr, bytes_of(key), bytes_of(nonce), encrypts) == 1);
  CHECK(EVP_CipherUpdate(context.get(), nullptr, &size, bytes_of(associated), static_cast<int>(associated.size())) ==
        1);
  return context;
}

std::string encrypt(const EVP_CIPHER* cipher, std::string_view key, std::string_view nonce, std::string_view associated,
                    std::string_view text) {
  const auto context = start(cipher, key, nonce, associated, 1);
  std::string sealed(text.size() + kTagBytes, '\0');
  int size = 0;
  CHECK(EVP_CipherUpdate(context.get(), bytes_of(sealed), &size, bytes_of(text), static_cast<int>(text.size())) == 1);
  CHECK(EVP_CipherFinal_ex(context.get(), bytes_of(sealed) + size, &size) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, bytes_of(sealed) + text.size()) == 1);
  return sealed;
}

std::optional<std::string> decrypt(const EVP_CIPHER* cipher, std::string_view key, std::string_view nonce,
                                   std::string_view associated, std::string_view sealed) {
  if (sealed.size() < kTagBytes) return std::nullopt;
  const auto context = start(cipher, key, nonce, associated, 0);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  sealed.remove_suffix(kTagBytes);
  std::string text(sealed.size(), '\0');
  int size = 0;
  CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, bytes_of(tag)) == 1);
  CHECK(EVP_CipherUpdate(context.get(), bytes_of(text), &size, bytes_of(sealed), static_cast<int>(sealed.size())) == 1);
  if (EVP_CipherFinal_ex(context.get(), bytes_of(text) + size, &size) != 1) return std::nullopt;
  return text;
}

}  // namespace

std::string plain_record(uint8_t type, uint16_t version, std::string_view content) {
  std::string record(1, static_cast<char>(type));
  record += big_endian(version, 2);
  record += big_endian(content.size(), 2);
  record += content;
  return record;
}

RecordProtection::RecordProtection(const SSL_CIPHER* suite, bool is_tls_1_3)
    : suite_(suite),
      cipher_(EVP_get_cipherbynid(SSL_CIPHER_get_cipher_nid(suite))),
      is_tls_1_3_(is_tls_1_3),
      has_explicit_nonce_(!is_tls_1_3 && SSL_CIPHER_get_cipher_nid(suite) != NID_chacha20_poly1305) {}

RecordProtection RecordProtection::tls_1_3(const SSL_CIPHER* suite, std::string secret) {
  RecordProtection protection(suite, true);
  const EVP_MD* hash = SSL_CIPHER_get_handshake_digest(suite);
  protection.key_ = expand(hash, secret, "key", static_cast<size_t>(EVP_CIPHER_get_key_length(protection.cipher_)));
  protection.iv_ = expand(hash, secret, "iv", kNonceBytes);
  protection.secret_ = std::move(secret);
  return protection;
}

std::optional<RecordProtection> RecordProtection::tls_1_2(const SSL_CIPHER* suite, std::string_view master_secret,
                                                          std::string_view client_random,
                                                          std::string_view server_random, bool is_client) {
  if (SSL_CIPHER_is_aead(suite) != 1) return std::nullopt;
  RecordProtection protection(suite, false);
  const auto key_bytes = static_cast<size_t>(EVP_CIPHER_get_key_length(protection.cipher_));
  const size_t iv_bytes = protection.has_explicit_nonce_ ? kNonceBytes - kExplicitNonceBytes : kNonceBytes;
  const std::string seed = "key expansion" + std::string(server_random) + std::string(client_random);
  const std::string block =
      pseudorandom(SSL_CIPHER_get_handshake_digest(suite), master_secret, seed, 2 * (key_bytes + iv_bytes));
  protection.key_ = block.substr(is_client ? 0 : key_bytes, key_bytes);
  protection.iv_ = block.substr(2 * key_bytes + (is_client ? 0 : iv_bytes), iv_bytes);
  return protection;
}

RecordProtection RecordProtection::next() const {
  const EVP_MD* hash = SSL_CIPHER_get_handshake_digest(suite_);
  return tls_1_3(suite_, expand(hash, secret_, "traffic upd", secret_.size()));
}

std::string RecordProtection::nonce(std::string_view explicit_part) const {
  if (has_explicit_nonce_) return iv_ + std::string(explicit_part);
  std::string nonce = iv_;
  const std::string sequence = big_endian(sequence_, kNonceBytes);
  for (size_t i = 0; i < kNonceBytes; ++i) nonce[i] = static_cast<char>(nonce[i] ^ sequence[i]);
  return nonce;
}

// `size`: in TLS 1.2 of the content, in TLS 1.3 of what is sealed.
std::string RecordProtection::associated(uint8_t type, size_t size) const {
  const std::string header = plain_record(type, kTls12, "").substr(0, 3) + big_endian(size, 2);
  return is_tls_1_3_ ? header : big_endian(sequence_, 8) + header;
}

std::optional<Content> RecordProtection::open(std::string_view record) {
  const auto type = static_cast<uint8_t>(record[0]);
  std::string_view sealed = record.substr(kRecordHeaderBytes);
  const std::string_view explicit_part = sealed.substr(0, has_explicit_nonce_ ? kExplicitNonceBytes : 0);
  sealed.remove_prefix(explicit_part.size());
  if (sealed.size() < kTagBytes) return std::nullopt;
  const size_t size = is_tls_1_3_ ? sealed.size() : sealed.size() - kTagBytes;
  auto text = decrypt(cipher_, key_, nonce(explicit_part), associated(type, size), sealed);
  if (!text) return std::nullopt;
  ++sequence_;
  if (!is_tls_1_3_) return Content{type, std::move(*text)};
  while (!text->empty() && text->back() == '\0') text->pop_back();
  if (text->empty()) return Content{};
  const auto inner_type = static_cast<uint8_t>(text->back());
  text->pop_back();
  return Content{inner_type, std::move(*text)};
}

std::string RecordProtection::seal(const Content& content, size_t padding) {
  std::string text = content.bytes;
  uint8_t type = content.type;
  if (is_tls_1_3_) {
    text += static_cast<char>(type) + std::string(padding, '\0');
    type = SSL3_RT_APPLICATION_DATA;
  }
  const std::string explicit_part = has_explicit_nonce_ ? big_endian(sequence_, kExplicitNonceBytes) : "";
  const size_t size = is_tls_1_3_ ? text.size() + kTagBytes : text.size();
  const std::string sealed = encrypt(cipher_, key_, nonce(explicit_part), associated(type, size), text);
  ++sequence_;
  return plain_record(type, kTls12, explicit_part + sealed);
}

}  // namespace sluice::fuzz
