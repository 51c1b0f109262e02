// A private key that is made, written and read here, and that signs certificates and requests. The keys of handshakes
// are tls/private_key.h's. One thread at a time.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::certs {

enum class KeyType : uint8_t { rsa_2048, rsa_3072, rsa_4096, ecdsa_p256, ecdsa_p384 };

[[nodiscard]] constexpr bool is_rsa(KeyType type) noexcept { return type <= KeyType::rsa_4096; }

// The words of Certificate.spec.privateKey.encoding.
enum class KeyEncoding : uint8_t {
  pkcs1,  // RSA: PKCS#1 (RFC 8017), ECDSA: SEC 1 (RFC 5915)
  pkcs8,  // RFC 5208
};

class SigningKey {
 public:
  [[nodiscard]] static Result<SigningKey> make(KeyType type);
  // Any of the forms that to_pem() writes. RSA of 2048 to 4096 bits, ECDSA on P-256 and P-384. The error says what is
  // wrong with the key, without naming it: "is encrypted: ...".
  [[nodiscard]] static Result<SigningKey> read(std::string_view pem);

  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();  // wipes it

  [[nodiscard]] bool is_rsa() const noexcept;
  // SubjectPublicKeyInfo (RFC 5280 4.1) in DER: two keys are the same when these are.
  [[nodiscard]] const std::string& public_key() const noexcept;
  // The caller wipes it.
  [[nodiscard]] Result<std::string> to_pem(KeyEncoding encoding) const;

  // AlgorithmIdentifier in DER of what sign() makes: RSA PKCS#1 1.5 and P-256 with SHA-256, P-384 with SHA-384.
  [[nodiscard]] std::string signature_algorithm() const;
  // Has been checked with the public key: a faulty one would give the private one away (RSA with CRT).
  [[nodiscard]] Result<std::string> sign(std::string_view message) const;

 private:
  struct Parts;
  explicit SigningKey(std::unique_ptr<Parts> parts) noexcept;

  std::unique_ptr<Parts> parts_;
};

// --- Public keys -----------------------------------------------------------------------------------

struct PublicKey {
  bool is_rsa = false;
  std::string der;  // SubjectPublicKeyInfo, in the one spelling that SigningKey::public_key() has
};

// Of anybody's bytes, which are a whole SubjectPublicKeyInfo. Takes and refuses what SigningKey::read() does; the error
// is "is ...".
[[nodiscard]] Result<PublicKey> read_public_key(ConstBytes der);

// `algorithm` is a whole AlgorithmIdentifier: RSA PKCS#1 1.5 or ECDSA, with SHA-256, SHA-384 or SHA-512. The error is
// "is signed with ..." or "has a wrong signature".
[[nodiscard]] Status check_signature(const PublicKey& key, ConstBytes algorithm, ConstBytes message,
                                     ConstBytes signature);

}  // namespace sluice::certs
