// What an idle connection costs on the heap: the figure that decides how many fit on a machine.
#include "authority.h"
#include "connection.h"

#include "base/limits.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/wolfcrypt/memory.h>

#include <gtest/gtest.h>

#include <malloc.h>

#include <cstdlib>
#include <vector>

namespace sluice::tls {
namespace {

constexpr size_t kIdleSessionBytesMax = 5 * 1024 + 256;
constexpr size_t kIdleSessionWithCertificateBytesMax = 6 * 1024;

size_t wolfssl_heap_bytes = 0;

void* count_malloc(size_t size) {
  void* memory = std::malloc(size);
  wolfssl_heap_bytes += malloc_usable_size(memory);
  return memory;
}

void count_free(void* memory) {
  wolfssl_heap_bytes -= malloc_usable_size(memory);
  std::free(memory);
}

void* count_realloc(void* memory, size_t size) {
  wolfssl_heap_bytes -= malloc_usable_size(memory);
  void* moved = std::realloc(memory, size);
  wolfssl_heap_bytes += malloc_usable_size(moved);
  return moved;
}

template <typename Base>
class CountingHeap : public Base {
 protected:
  void SetUp() override { ASSERT_EQ(wolfSSL_SetAllocators(count_malloc, count_free, count_realloc), 0); }
  void TearDown() override { ASSERT_EQ(wolfSSL_SetAllocators(std::malloc, std::free, std::realloc), 0); }
};
using IdleSession = CountingHeap<testing::TestWithParam<const char*>>;
using IdleSessionOfAClientWithACertificate = CountingHeap<testing::Test>;

// Heap of one connection of this client, from its ClientHello to silence after traffic.
void measure(const char* what, const std::shared_ptr<ServerContext>& context, const test::ClientOptions& options,
             test::OpensslSession* session = nullptr) {
  test::Connection connection(context, options);
  connection.session = nullptr;
  const size_t before = wolfssl_heap_bytes;
  connection.session = Session::accept(*connection.context);
  const size_t fresh = wolfssl_heap_bytes - before;
  ASSERT_EQ(connection.handshake(), SessionStatus::ok);
  EXPECT_EQ(connection.session->is_resumed(), options.session != nullptr);
  // Traffic of full records both ways, then silence.
  connection.client.write(std::string(limits::tls_plaintext_bytes, 'x'));
  connection.from_client = connection.client.take_output();
  ASSERT_EQ(connection.read_all().size(), limits::tls_plaintext_bytes);
  ASSERT_TRUE(
      connection.session->write(as_bytes(std::string(limits::tls_plaintext_bytes, 'y')), connection.output.sink()));
  const size_t idle = wolfssl_heap_bytes - before + sizeof(Session);
  std::printf("heap of a %s session, %s: new %zu bytes, idle %zu bytes\n", connection.client.cipher().c_str(), what,
              fresh + sizeof(Session), idle);
  EXPECT_LT(idle, kIdleSessionBytesMax);

  connection.session = nullptr;
  EXPECT_EQ(wolfssl_heap_bytes, before);
  connection.client.feed(as_bytes(connection.output.take()));
  connection.client.read();
  connection.client.send_close_notify();  // or OpenSSL does not resume it
  if (session != nullptr) *session = connection.client.sessions().at(0);
}

TEST_P(IdleSession, CostsLittleMoreThanFiveKilobytesOfHeap) {
  const std::string suite = GetParam();
  const bool is_tls_1_3 = suite.starts_with("TLS_");
  test::ClientOptions options{.alpn = {"http/1.1"}, .asks_for_status = true};
  if (is_tls_1_3) {
    options.tls13_ciphers = suite;
  } else {
    options.max_version = TLS1_2_VERSION;
    options.tls12_ciphers = suite + ":@SECLEVEL=0";
  }
  measure("without tickets", test::make_context(test::five_suites()), options);
  const auto server = test::server(test::five_suites(), test::rsa_2048().certificate, test::rsa_2048().key,
                                   test::ocsp_response(test::rsa_2048()));
  const auto context = *ServerContext::create(server, *TicketKeyring::create(std::chrono::system_clock::now()));
  measure("with tickets and an OCSP response", context, options, &options.session);
  measure("resumed", context, options);
}

// A verified client costs its certificate and nothing else: its key goes with the handshake.
TEST_F(IdleSessionOfAClientWithACertificate, CostsLessThanSixKilobytesOfHeap) {
  const test::Authority authority("root");
  snapshot::TlsSettings settings = test::five_suites();
  settings.client_certificates = snapshot::ClientCertificates::required;
  settings.client_verification = snapshot::PeerVerification{.ca_pem = authority.certificate()};
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const bool is_ecdsa : {false, true}) {
      const test::Pem pem = authority.issue({.is_ecdsa = is_ecdsa});
      test::Connection connection(settings,
                                  {.max_version = version, .certificate_pem = pem.certificate, .key_pem = pem.key});
      connection.session = nullptr;
      const size_t before = wolfssl_heap_bytes;
      connection.session = Session::accept(*connection.context);
      ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
      const size_t certificate = connection.session->peer_certificate()->der().size();
      const size_t idle = wolfssl_heap_bytes - before + sizeof(Session) + sizeof(PeerCertificate) + certificate;
      std::printf("heap of a session with a client's certificate of %zu bytes: idle %zu bytes\n", certificate, idle);
      EXPECT_LT(idle, kIdleSessionWithCertificateBytesMax);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(OfEverySuite, IdleSession,
                         testing::Values("ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES256-GCM-SHA384",
                                         "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA",
                                         "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"));

}  // namespace
}  // namespace sluice::tls
