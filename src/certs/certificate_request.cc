#include "certs/certificate_request.h"

#include "base/limits.h"
#include "certs/certificate_parts.h"
#include "certs/der_writer.h"
#include "certs/make_certificate.h"
#include "certs/object_identifiers.h"
#include "tls/der.h"
#include "tls/pem.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::certs {

// CertificationRequest and CertificationRequestInfo (RFC 2986 4).
Result<std::string> make_request(const Subject& subject, const SigningKey& key) {
  std::string attributes;
  if (subject.names.count() > 0) {
    const std::string extension =
        make_extension(oid::subject_alternative_name, subject.common_name.empty(), to_general_names(subject.names));
    attributes = der::sequence(
        {der::object_identifier(oid::extension_request), der::element(tls::der::kSet, der::sequence({extension}))});
  }
  const std::string version_1 = der::integer("");
  const std::string info = der::sequence(
      {version_1, make_name(subject.common_name), key.public_key(), der::element(der::constructed(0), attributes)});
  const Result<std::string> signature = key.sign(info);
  if (!signature) return std::unexpected(signature.error());
  return der::sequence({info, key.signature_algorithm(), der::bit_string(*signature)});
}

namespace {

// Attributes ::= SET OF SEQUENCE { type, SET OF value }: the names of the extensions that are asked for.
Status read_attributes(ConstBytes attributes, SubjectNames& names) {
  while (const auto attribute = tls::der::take(attributes)) {
    ConstBytes parts = attribute->content;
    const auto type = tls::der::take(parts);
    const auto values = tls::der::take(parts);
    if (!type || !values) return failure("has attributes that cannot be read");
    if (as_text(type->content) != oid::extension_request) continue;  // a challenge password, say
    ConstBytes value = values->content;
    const auto extensions = tls::der::take(value);
    if (!extensions) return failure("has attributes that cannot be read");
    const auto extension = find_extension(extensions->content, oid::subject_alternative_name);
    if (!extension) continue;
    Result<SubjectNames> read = read_general_names(*extension);
    if (!read) return failure(fmt::format("cannot be used: {}", read.error().message));
    names = std::move(*read);
  }
  return attributes.empty() ? Status() : failure("has attributes that cannot be read");
}

Result<CertificateRequest> read_der(ConstBytes der) {
  CertificateRequest request{.der = std::string(as_text(der)), .subject = {}, .public_key = {}};
  const auto outer = tls::der::take(der);
  if (!outer || outer->tag != tls::der::kSequence || !der.empty()) return failure("cannot be read: it is no DER");
  ConstBytes parts = outer->content;
  const auto info = tls::der::take(parts);
  const auto algorithm = tls::der::take(parts);
  const auto signature = tls::der::take(parts);
  if (!info || !algorithm || !signature || signature->tag != tls::der::kBitString || signature->content.empty() ||
      !parts.empty())
    return failure("cannot be read: it has not the parts of one");
  ConstBytes fields = info->content;
  const auto version = tls::der::take(fields);
  const auto name = tls::der::take(fields);
  const auto key = tls::der::take(fields);
  if (!version || version->tag != tls::der::kInteger || !name || name->tag != tls::der::kSequence || !key)
    return failure("cannot be read: it has not the parts of one");

  Result<PublicKey> public_key = read_public_key(key->whole);
  if (!public_key) return failure(fmt::format("cannot be used: its key {}", public_key.error().message));
  request.public_key = std::move(*public_key);
  if (Status status = check_signature(request.public_key, algorithm->whole, info->whole, signature->content.subspan(1));
      !status)
    return std::unexpected(status.error());

  Result<std::string> common_name = read_common_name(name->content);
  if (!common_name) return failure(fmt::format("cannot be used: its common name {}", common_name.error().message));
  request.subject.common_name = std::move(*common_name);
  const auto attributes = tls::der::take(fields);
  if (attributes && attributes->tag == der::constructed(0)) {
    if (Status status = read_attributes(attributes->content, request.subject.names); !status)
      return std::unexpected(status.error());
  }
  return request;
}

}  // namespace

Result<CertificateRequest> read_request(std::string_view pem) {
  if (pem.size() > limits::certificate_request_bytes_max)
    return failure(fmt::format("holds a certificate request that is too long: {} bytes; {} are allowed", pem.size(),
                               limits::certificate_request_bytes_max));
  constexpr std::string_view kOldLabel = "NEW CERTIFICATE REQUEST";  // RFC 7468 7: older programs write it
  const auto blocks = tls::decode_pem(pem, pem.contains(kOldLabel) ? kOldLabel : kRequestLabel);
  if (!blocks) return std::unexpected(blocks.error());
  Result<CertificateRequest> request = read_der(blocks->front());
  if (!request) return failure(fmt::format("holds a certificate request that {}", request.error().message));
  return request;
}

}  // namespace sluice::certs
