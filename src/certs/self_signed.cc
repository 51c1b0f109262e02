#include "certs/self_signed.h"

#include "base/address.h"
#include "config/host_name.h"
#include "config/wording.h"
#include "tls/random_source.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <span>

namespace sluice::certs {
namespace {

constexpr size_t kSerialBytes = 16;
constexpr size_t kKeyDerBytesMax = 4096;               // RSA-4096 in PKCS#8 takes 2 400
constexpr size_t kCertificateDerBytesMax = 32 * 1024;  // up to 16 KiB of names
constexpr unsigned char kGeneralNameDns = 0x82;        // RFC 5280 4.2.1.6, implicit context tags
constexpr unsigned char kGeneralNameIp = 0x87;

// Bytes of a key: wiped when they go.
struct SecretBytes {
  explicit SecretBytes(size_t size) : bytes(size) {}
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { explicit_bzero(bytes.data(), bytes.size()); }

  std::vector<unsigned char> bytes;
};

Error error_of(std::string_view what, int code) {
  return {fmt::format("making a self-signed certificate: {} failed: {}", what, wc_GetErrorString(code))};
}

// --- Keys ------------------------------------------------------------------------------------------

bool is_rsa(KeyType type) noexcept {
  return type == KeyType::rsa_2048 || type == KeyType::rsa_3072 || type == KeyType::rsa_4096;
}

// An RSA or an ECDSA key, as wolfCrypt wants to have it: by type and address.
class PrivateKey {
 public:
  explicit PrivateKey(KeyType type) : type_(type) {
    if (is_rsa(type)) {
      wc_InitRsaKey(&rsa_, nullptr);
    } else {
      wc_ecc_init(&ecc_);
    }
  }
  PrivateKey(const PrivateKey&) = delete;
  PrivateKey& operator=(const PrivateKey&) = delete;
  ~PrivateKey() {  // both wipe the private part
    if (is_rsa(type_)) {
      wc_FreeRsaKey(&rsa_);
    } else {
      wc_ecc_free(&ecc_);
    }
  }

  int generate(WC_RNG* rng) {
    switch (type_) {
      case KeyType::rsa_2048: return wc_MakeRsaKey(&rsa_, 2048, WC_RSA_EXPONENT, rng);
      case KeyType::rsa_3072: return wc_MakeRsaKey(&rsa_, 3072, WC_RSA_EXPONENT, rng);
      case KeyType::rsa_4096: return wc_MakeRsaKey(&rsa_, 4096, WC_RSA_EXPONENT, rng);
      case KeyType::ecdsa_p256: return wc_ecc_make_key_ex(rng, 32, &ecc_, ECC_SECP256R1);
      case KeyType::ecdsa_p384: return wc_ecc_make_key_ex(rng, 48, &ecc_, ECC_SECP384R1);
    }
    return BAD_FUNC_ARG;
  }

  // PKCS#8 (RFC 5208) in DER. The size, or an error.
  int to_pkcs8(std::span<unsigned char> der) {
    auto size = static_cast<unsigned>(der.size());
    if (!is_rsa(type_)) return wc_EccKeyToPKCS8(&ecc_, der.data(), &size);
    SecretBytes pkcs1(kKeyDerBytesMax);
    const int pkcs1_size = wc_RsaKeyToDer(&rsa_, pkcs1.bytes.data(), kKeyDerBytesMax);
    if (pkcs1_size <= 0) return pkcs1_size;
    return wc_CreatePKCS8Key(der.data(), &size, pkcs1.bytes.data(), static_cast<unsigned>(pkcs1_size), RSAk, nullptr,
                             0);
  }

  [[nodiscard]] int wolfssl_type() const noexcept { return is_rsa(type_) ? RSA_TYPE : ECC_TYPE; }
  [[nodiscard]] int signature_type() const noexcept {
    if (is_rsa(type_)) return CTC_SHA256wRSA;
    return type_ == KeyType::ecdsa_p384 ? CTC_SHA384wECDSA : CTC_SHA256wECDSA;
  }
  [[nodiscard]] const char* usage() const noexcept {
    return is_rsa(type_) ? "digitalSignature,keyEncipherment" : "digitalSignature";
  }
  [[nodiscard]] void* address() noexcept {
    return is_rsa(type_) ? static_cast<void*>(&rsa_) : static_cast<void*>(&ecc_);
  }
  [[nodiscard]] RsaKey* rsa() noexcept { return is_rsa(type_) ? &rsa_ : nullptr; }
  [[nodiscard]] ecc_key* ecc() noexcept { return is_rsa(type_) ? nullptr : &ecc_; }

 private:
  KeyType type_;
  union {
    RsaKey rsa_;
    ecc_key ecc_;
  };
};

// --- What the certificate says ---------------------------------------------------------------------

// One element: tag, length, content; at most 64 KiB.
void append_der(std::string& der, unsigned char tag, std::string_view content) {
  der += static_cast<char>(tag);
  if (content.size() >= 0x100) {
    der += '\x82';
    der += static_cast<char>(content.size() >> 8);
  } else if (content.size() >= 0x80) {
    der += '\x81';
  }
  der += static_cast<char>(content.size());
  der += content;
}

// GeneralNames in DER.
Result<std::string> alternative_names(const std::vector<std::string>& hosts) {
  if (hosts.empty())
    return failure(
        "making a self-signed certificate: no host is given; name at least one, for example *.local.kyma.dev");
  std::string names;
  for (const std::string& host : hosts) {
    if (const auto address = SocketAddress::from_ip(host, 0)) {
      const size_t size = address->family == SocketAddress::Family::ipv4 ? 4 : 16;
      append_der(names, kGeneralNameIp, {reinterpret_cast<const char*>(address->ip.data()), size});
      continue;
    }
    const auto wrong = host == "*" ? "a wildcard needs a domain, as in *.example.com" : config::wrong_with_host(host);
    if (wrong) {
      return failure(fmt::format("making a self-signed certificate: {} is neither an IP address nor a host name: {}",
                                 config::in_quotes(host), *wrong));
    }
    append_der(names, kGeneralNameDns, config::normalised_host(host));
  }
  if (names.size() > CTC_MAX_ALT_SIZE - 4)
    return failure(fmt::format(
        "making a self-signed certificate: {} hosts are too many for one certificate ({} bytes of names at most)",
        hosts.size(), CTC_MAX_ALT_SIZE - 4));
  std::string der;
  append_der(der, ASN_SEQUENCE | ASN_CONSTRUCTED, names);
  return der;
}

// RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on.
std::string encode_time(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto calendar = fmt::gmtime(std::chrono::system_clock::to_time_t(seconds));
  const bool is_utc_time = calendar.tm_year + 1900 < 2050;
  std::string der;
  append_der(der, is_utc_time ? ASN_UTC_TIME : ASN_GENERALIZED_TIME,
             is_utc_time ? fmt::format("{:%y%m%d%H%M%SZ}", calendar) : fmt::format("{:%Y%m%d%H%M%SZ}", calendar));
  return der;
}

template <size_t size>
void set(unsigned char (&target)[size], int& target_size, std::string_view value) {
  static_assert(size >= CTC_DATE_SIZE);
  std::memcpy(target, value.data(), value.size());
  target_size = static_cast<int>(value.size());
}

Status describe(Cert& certificate, const SelfSignedOptions& options, WallTime now, PrivateKey& key, WC_RNG* rng) {
  const Result<std::string> names = alternative_names(options.hosts);
  if (!names) return std::unexpected(names.error());
  set(certificate.altNames, certificate.altNamesSz, *names);
  set(certificate.beforeDate, certificate.beforeDateSz, encode_time(now));
  set(certificate.afterDate, certificate.afterDateSz, encode_time(now + options.lifetime));

  // An empty subject would need a critical subjectAltName (RFC 5280 4.2.1.6), which wolfSSL cannot write.
  const std::string& host = options.hosts.front();
  if (host.size() < sizeof certificate.subject.commonName) {
    std::memcpy(certificate.subject.commonName, host.c_str(), host.size() + 1);
  } else {
    std::strcpy(certificate.subject.org, "self-signed");
  }

  if (const int code = wc_RNG_GenerateBlock(rng, certificate.serial, kSerialBytes); code != 0)
    return std::unexpected(error_of("the serial number", code));
  certificate.serial[0] =
      static_cast<unsigned char>((certificate.serial[0] & 0x7f) | 0x40);  // positive, and never shorter
  certificate.serialSz = kSerialBytes;
  certificate.sigType = key.signature_type();
  certificate.isCA = 0;
  certificate.basicConstSet = 1;  // CA:FALSE is written
  if (const int code = wc_SetKeyUsage(&certificate, key.usage()); code != 0)
    return std::unexpected(error_of("the key usage", code));
  if (const int code = wc_SetExtKeyUsage(&certificate, "serverAuth,clientAuth"); code != 0)
    return std::unexpected(error_of("the extended key usage", code));
  if (const int code = wc_SetSubjectKeyIdFromPublicKey(&certificate, key.rsa(), key.ecc()); code != 0)
    return std::unexpected(error_of("the key identifier", code));
  return {};
}

Result<std::string> to_pem(std::span<const unsigned char> der, int type) {
  SecretBytes pem(der.size() * 2 + 256);
  const int size = wc_DerToPem(der.data(), static_cast<unsigned>(der.size()), pem.bytes.data(),
                               static_cast<unsigned>(pem.bytes.size()), type);
  if (size <= 0) return std::unexpected(error_of("the conversion to PEM", size));
  return std::string(reinterpret_cast<const char*>(pem.bytes.data()), static_cast<size_t>(size));
}

std::string base64(std::string_view text) {
  std::string encoded(text.size() / 3 * 4 + 8, '\0');
  auto size = static_cast<unsigned>(encoded.size());
  const int code =
      Base64_Encode_NoNl(reinterpret_cast<const unsigned char*>(text.data()), static_cast<unsigned>(text.size()),
                         reinterpret_cast<unsigned char*>(encoded.data()), &size);
  encoded.resize(code == 0 ? size : 0);
  return encoded;
}

}  // namespace

IssuedCertificate::~IssuedCertificate() { explicit_bzero(key_pem.data(), key_pem.size()); }

Result<IssuedCertificate> make_self_signed(const SelfSignedOptions& options, WallTime now) {
  if (options.lifetime <= Duration::zero())
    return failure("making a self-signed certificate: the lifetime must be longer than zero");
  const tls::RandomSource random;
  if (random.get() == nullptr) return std::unexpected(error_of("the random number generator", RNG_FAILURE_E));
  const auto certificate = std::make_unique<Cert>();
  if (const int code = wc_InitCert(certificate.get()); code != 0)
    return std::unexpected(error_of("the preparation", code));
  PrivateKey key(options.key_type);
  if (const int code = key.generate(random.get()); code != 0) return std::unexpected(error_of("making the key", code));
  if (Status status = describe(*certificate, options, now, key, random.get()); !status)
    return std::unexpected(status.error());

  std::vector<unsigned char> der(kCertificateDerBytesMax);
  const auto capacity = static_cast<unsigned>(der.size());
  int size = wc_MakeCert_ex(certificate.get(), der.data(), capacity, key.wolfssl_type(), key.address(), random.get());
  if (size > 0)
    size = wc_SignCert_ex(size, certificate->sigType, der.data(), capacity, key.wolfssl_type(), key.address(),
                          random.get());
  if (size <= 0) return std::unexpected(error_of("signing", size));

  SecretBytes key_der(kKeyDerBytesMax);
  const int key_size = key.to_pkcs8(key_der.bytes);
  if (key_size <= 0) return std::unexpected(error_of("writing the key", key_size));
  Result<std::string> chain_pem = to_pem(std::span(der).first(static_cast<size_t>(size)), CERT_TYPE);
  if (!chain_pem) return std::unexpected(chain_pem.error());
  Result<std::string> key_pem =
      to_pem(std::span(key_der.bytes).first(static_cast<size_t>(key_size)), PKCS8_PRIVATEKEY_TYPE);
  if (!key_pem) return std::unexpected(key_pem.error());

  IssuedCertificate issued;
  issued.chain_pem = std::move(*chain_pem);
  issued.key_pem = std::move(*key_pem);
  return issued;
}

std::string to_secret_yaml(const IssuedCertificate& certificate, std::string_view name, std::string_view name_space) {
  return fmt::format(
      "apiVersion: v1\n"
      "kind: Secret\n"
      "metadata:\n"
      "  name: {}\n"
      "  namespace: {}\n"
      "type: kubernetes.io/tls\n"
      "data:\n"
      "  tls.crt: {}\n"
      "  tls.key: {}\n",
      name, name_space, base64(certificate.chain_pem), base64(certificate.key_pem));
}

}  // namespace sluice::certs
