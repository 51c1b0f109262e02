#include "tls/forwarded_certificate.h"

#include <string_view>

namespace sluice::tls {

namespace {

std::string quoted(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

void add(std::string& element, std::string_view name, std::string_view value) {
  if (!element.empty()) element += ';';
  element.append(name).append("=");
  if (value.find_first_of(",;=\"\\ ") == std::string_view::npos) {
    element += value;
  } else {
    element += quoted(value);
  }
}

}  // namespace

// What Base64 and the lines of PEM have and a URL has not.
std::string url_encoded_pem(const PeerCertificate& certificate) {
  const std::string pem = certificate.pem();
  std::string text;
  text.reserve(pem.size() + pem.size() / 8);
  for (const char c : pem) {
    switch (c) {
      case '\n': text += "%0A"; break;
      case ' ': text += "%20"; break;
      case '+': text += "%2B"; break;
      case '/': text += "%2F"; break;
      case '=': text += "%3D"; break;
      default: text += c;
    }
  }
  return text;
}

std::string forwarded_certificate(const PeerCertificate& client, const LocalCertificate* own) {
  const Result<ParsedCertificate> certificate = client.parsed();
  if (!certificate) return {};
  std::string element;
  if (own != nullptr && !own->uris.empty()) add(element, "By", own->uris.front());
  add(element, "Hash", certificate->fingerprint_sha256);
  element += ";Cert=\"" + url_encoded_pem(client) + "\"";
  // RFC 2253 has its own backslashes, which stay as they are; a quote has one already.
  element += ";Subject=\"" + certificate->subject + "\"";
  if (certificate->uris.empty()) add(element, "URI", "");
  for (const std::string& uri : certificate->uris) add(element, "URI", uri);
  for (const std::string& name : certificate->dns_names) add(element, "DNS", name);
  return element;
}

}  // namespace sluice::tls
