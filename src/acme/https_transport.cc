#include "acme/transport.h"
#include "base/limits.h"
#include "base/text.h"
#include "tls/peer_verifier.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <utility>

namespace sluice::acme {

namespace {

constexpr size_t kChainMax = 16;  // certificates of a server; more than wolfSSL takes

struct FreeCurl {
  void operator()(CURL* curl) const noexcept { curl_easy_cleanup(curl); }
  void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using OwnedCurl = std::unique_ptr<CURL, FreeCurl>;
using OwnedUrl = std::unique_ptr<CURLU, FreeCurl>;
using OwnedList = std::unique_ptr<curl_slist, FreeCurl>;

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string copy = text;
  curl_free(text);
  return copy;
}

// One request at a time.
class HttpsClient {
 public:
  HttpsClient(const HttpsOptions& options, CURL* curl)
      : verification_{.ca_pem = options.ca_pem, .source_name = options.ca_pem.empty() ? "" : options.ca_source},
        stop_(options.stop),
        curl_(curl) {}

  [[nodiscard]] Status check_trust() {
    const auto verifier = tls::PeerVerifier::create(verification_, tls::Side::server);
    return verifier ? Status() : std::unexpected(verifier.error());
  }

  Answer<HttpResponse> send(const HttpRequest& request) {
    HttpRequest next = request;
    for (unsigned redirects = 0;; ++redirects) {
      Answer<HttpResponse> response = send_once(next);
      if (!response || !request.follows_redirects || response->status < 301 || response->status > 308) return response;
      const std::string* location = response->field("location");
      if (location == nullptr || redirects == limits::acme_redirects_max) return response;
      const OwnedUrl url(curl_url());
      if (curl_url_set(url.get(), CURLUPART_URL, next.url.c_str(), 0) != CURLUE_OK ||
          curl_url_set(url.get(), CURLUPART_URL, location->c_str(), 0) != CURLUE_OK)
        return response;
      next.url = part_of(url.get(), CURLUPART_URL);
    }
  }

 private:
  Answer<HttpResponse> send_once(const HttpRequest& request);
  [[nodiscard]] Failure failure_of(CURLcode code, std::string_view text) const;

  // libcurl has made a TLS context, without CAs: see tls/session_callbacks.cc, which does the same.
  static CURLcode on_tls_context(CURL* /*curl*/, void* context, void* self) {
    auto* tls = static_cast<WOLFSSL_CTX*>(context);
    wolfSSL_CTX_set_verify(tls, WOLFSSL_VERIFY_PEER, on_verify);
    wolfSSL_CTX_SetCertCbCtx(tls, self);
    return CURLE_OK;
  }
  static int on_verify(int /*is_good*/, WOLFSSL_X509_STORE_CTX* store) {
    return static_cast<HttpsClient*>(store->userCtx)->verify(*store) ? 1 : 0;
  }
  bool verify(const WOLFSSL_X509_STORE_CTX& store);

  static size_t on_body(char* bytes, size_t size, size_t count, void* self) {
    std::string& body = static_cast<HttpsClient*>(self)->response_.body;
    if (size * count > limits::acme_answer_bytes_max - body.size()) return CURL_WRITEFUNC_ERROR;
    body.append(bytes, size * count);
    return size * count;
  }
  static size_t on_field(char* bytes, size_t size, size_t count, void* self) {
    return static_cast<HttpsClient*>(self)->take_field({bytes, size * count}) ? size * count : 0;
  }
  bool take_field(std::string_view line);

  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<HttpsClient*>(self)->stop_.stop_requested() ? 1 : 0;
  }

  snapshot::PeerVerification verification_;
  std::stop_token stop_;

  // Of the request that is under way.
  HttpResponse response_;
  size_t field_bytes_ = 0;
  std::string host_;          // what the server must be called
  std::string refused_peer_;  // why its certificate is not accepted; empty: it is
  OwnedCurl curl_;            // goes first: its connections point here
};

bool HttpsClient::verify(const WOLFSSL_X509_STORE_CTX& store) {
  const bool has_no_issuer_only =
      store.error == 0 || store.error == ASN_NO_SIGNER_E || store.error == ASN_SELF_SIGNED_E;
  if (store.error_depth > 0 && has_no_issuer_only) return true;  // the verifier finds out whether it is needed
  if (!has_no_issuer_only || store.totalCerts <= 0) {
    refused_peer_ = tls::describe_failure(store.error == 0 ? VERIFY_CERT_ERROR : store.error, tls::Side::server).text;
    return false;
  }
  std::array<ConstBytes, kChainMax> chain;
  const size_t count = std::min(static_cast<size_t>(store.totalCerts), chain.size());
  for (size_t i = 0; i < count; ++i)
    chain[i] = {reinterpret_cast<const std::byte*>(store.certs[i].buffer), store.certs[i].length};
  // Made anew: the system's CAs may have changed.
  const auto verifier = tls::PeerVerifier::create(verification_, tls::Side::server);
  if (!verifier) {
    refused_peer_ = verifier.error().message;
    return false;
  }
  const auto failure = (*verifier)->verify(std::span(chain).first(count), host_, std::chrono::system_clock::now());
  if (failure) refused_peer_ = failure->text;
  return !failure;
}

bool HttpsClient::take_field(std::string_view line) {
  field_bytes_ += line.size();
  if (field_bytes_ > limits::acme_fields_bytes_max || response_.fields.size() == limits::acme_fields_max) return false;
  if (line.starts_with("HTTP/")) {  // after a 1xx, or a proxy's answer
    response_.fields.clear();
    return true;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  HttpField field{.name = std::string(line.substr(0, colon)), .value = std::string(trimmed(line.substr(colon + 1)))};
  for (char& c : field.name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  response_.fields.push_back(std::move(field));
  return true;
}

Answer<HttpResponse> HttpsClient::send_once(const HttpRequest& request) {
  const OwnedUrl url(curl_url());
  if (curl_url_set(url.get(), CURLUPART_URL, request.url.c_str(), 0) != CURLUE_OK ||
      part_of(url.get(), CURLUPART_SCHEME) != "https")
    return fail(FailureKind::passing, "its address is no https:// URL");
  host_ = part_of(url.get(), CURLUPART_HOST);
  if (host_.starts_with('[')) host_ = host_.substr(1, host_.size() - 2);  // IPv6
  response_ = {};
  field_bytes_ = 0;
  refused_peer_.clear();

  CURL* curl = curl_.get();
  curl_easy_reset(curl);  // not its connections
  std::array<char, CURL_ERROR_SIZE> error{};
  OwnedList fields;
  const auto add_field = [&fields](const std::string& line) {
    fields.reset(curl_slist_append(fields.release(), line.c_str()));
  };
  if (!request.accept.empty()) add_field("Accept: " + request.accept);
  if (request.method == Method::post) add_field("Content-Type: application/jose+json");  // RFC 8555 6.2
  add_field("Expect:");

  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields.get());
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error.data());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // an end does not wait for a name server
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(to_milliseconds(limits::acme_connect_timeout)));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(to_milliseconds(limits::acme_request_timeout)));
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);  // on_verify() looks at the name
  curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
  curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, this);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_field);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  if (request.method == Method::head) curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  if (request.method == Method::post) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
  }

  const CURLcode code = stop_.stop_requested() ? CURLE_ABORTED_BY_CALLBACK : curl_easy_perform(curl);
  // They point to what ends here.
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, nullptr);
  if (code != CURLE_OK) return std::unexpected(failure_of(code, error.data()));
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<unsigned>(status);
  return std::move(response_);
}

Failure HttpsClient::failure_of(CURLcode code, std::string_view text) const {
  if (!refused_peer_.empty()) return {.message = refused_peer_};
  if (stop_.stop_requested()) return {.message = "this process is about to end"};
  if (code == CURLE_WRITE_ERROR)
    return {.message = fmt::format("it answers with more than {} KiB, or with a head of more than {} KiB",
                                   limits::acme_answer_bytes_max / 1024, limits::acme_fields_bytes_max / 1024)};
  return {.message = std::string(text.empty() ? curl_easy_strerror(code) : text)};
}

}  // namespace

Result<Transport> https_transport(const HttpsOptions& options) {
  static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL* curl = initialized == CURLE_OK ? curl_easy_init() : nullptr;
  if (curl == nullptr) return failure("no memory for HTTPS requests");
  auto client = std::make_shared<HttpsClient>(options, curl);
  if (Status status = client->check_trust(); !status) return std::unexpected(status.error());
  return [client](const HttpRequest& request) { return client->send(request); };
}

}  // namespace sluice::acme
