#include "proxy/first_words.h"

#include "base/limits.h"
#include "support/client_hello.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sluice::proxy {
namespace {

FirstWords words_of(std::string_view text) {
  tls::ClientHello hello;
  return first_words(as_bytes(text), hello);
}

TunnelHost host_of(std::string_view text, std::string_view host = "api.example") {
  return tunnel_host(as_bytes(text), /*is_all=*/false, host);
}

// --- what a redirected client speaks ---------------------------------------------------------------

TEST(FirstWords, KnowTlsByItsClientHello) {
  const std::string bytes = sim::client_hello("api.example");
  tls::ClientHello hello;
  EXPECT_EQ(first_words(as_bytes(bytes), hello), FirstWords::client_hello);
  EXPECT_EQ(hello.server_name, "api.example");
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_EQ(words_of(bytes.substr(0, size)), FirstWords::need_more) << size;
}

TEST(FirstWords, KnowHttpByItsFirstLine) {
  for (const std::string_view text : {"GET / HTTP/1.1\r\n", "POST /a HTTP/1.0\n", "OPTIONS * HTTP/1.1\r\nHost:",
                                      "\r\nDELETE /a b HTTP/1.1\r\n", "PATCH / HTTP/9.9\r\n"})
    EXPECT_EQ(words_of(text), FirstWords::http) << text;
  for (const std::string_view text : {"", "G", "GET", "OPTION", "PROPFIND", "GET /", "\r\n", "GET / HTTP/1.1\r"})
    EXPECT_EQ(words_of(text), FirstWords::need_more) << text;
}

TEST(FirstWords, KnowHttp2ByItsPreface) {
  EXPECT_EQ(words_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), FirstWords::http);
  EXPECT_EQ(words_of("PRI * HTTP/2"), FirstWords::http);
  EXPECT_EQ(words_of("PRI * HTTP/3.0\r\n"), FirstWords::other);
  EXPECT_EQ(words_of("PRI"), FirstWords::need_more);
}

TEST(FirstWords, TakeEverythingElseForPlainTcp) {
  const std::string_view greetings[] = {"SSH-2.0-OpenSSH_9.2\r\n",
                                        "EHLO mail.example\r\n",
                                        "\x03\x00\x00\x13",
                                        "get / HTTP/1.1\r\n",
                                        "GETS /",
                                        "a",
                                        "PING\r\n",
                                        "THISISNOTAMETHODATALL",
                                        "MAIL FROM:<a@b>\r\n",
                                        "*1\r\n$4\r\nPING\r\n"};
  for (const std::string_view text : greetings) EXPECT_EQ(words_of(text), FirstWords::other) << text;
  EXPECT_EQ(words_of(std::string_view("\0\0\0", 3)), FirstWords::other);
}

TEST(FirstWords, TakeABadClientHelloForPlainTcp) {
  std::string bytes = sim::client_hello("api.example");
  bytes[5] = '\x02';  // a ServerHello
  EXPECT_EQ(words_of(bytes), FirstWords::other);
}

// --- whether a tunnel's client means the host of its CONNECT ----------------------------------------

TEST(TunnelHost, IsTheServerNameOfAClientHello) {
  EXPECT_EQ(host_of(sim::client_hello("api.example")), TunnelHost::same);
  EXPECT_EQ(host_of(sim::client_hello("API.example")), TunnelHost::same);
  EXPECT_EQ(host_of(sim::client_hello("other.example")), TunnelHost::other);
  EXPECT_EQ(host_of(sim::client_hello("x.api.example")), TunnelHost::other);
  EXPECT_EQ(host_of(sim::client_hello("")), TunnelHost::same);
  EXPECT_EQ(host_of(sim::client_hello("api.example"), "192.0.2.1"), TunnelHost::other);
}

TEST(TunnelHost, IsTheHostOfARequest) {
  EXPECT_EQ(host_of("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"), TunnelHost::same);
  EXPECT_EQ(host_of("GET / HTTP/1.1\r\nHost: API.example:8080\r\n\r\n"), TunnelHost::same);
  EXPECT_EQ(host_of("GET / HTTP/1.1\r\nHost: other.example\r\n\r\n"), TunnelHost::other);
  EXPECT_EQ(host_of("GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n"), TunnelHost::other);
  EXPECT_EQ(host_of("GET / HTTP/1.0\r\n\r\n"), TunnelHost::same);
}

TEST(TunnelHost, IsAnotherWhereNobodyCanTell) {
  EXPECT_EQ(host_of("GET / HTTP/1.1\r\nHost: api.example\r\nHost: other.example\r\n\r\n"), TunnelHost::other);
  EXPECT_EQ(host_of("GET / HTTP/1.1\r\n\r\n"), TunnelHost::other);
  std::string bytes = sim::client_hello("api.example");
  bytes[5] = '\x02';
  EXPECT_EQ(host_of(bytes), TunnelHost::other);
}

TEST(TunnelHost, WaitsForAllOfIt) {
  const std::string hello = sim::client_hello("api.example");
  for (size_t size = 0; size < hello.size(); ++size)
    EXPECT_EQ(host_of(hello.substr(0, size)), TunnelHost::need_more) << size;
  EXPECT_EQ(host_of("GET / HTTP/1.1\r\nHost: api.exa"), TunnelHost::need_more);
}

TEST(TunnelHost, DoesNotWaitForEver) {
  std::string endless = "GET / HTTP/1.1\r\n";
  while (endless.size() < limits::client_hello_bytes_max) endless += "x: " + std::string(500, 'x') + "\r\n";
  EXPECT_EQ(host_of(endless), TunnelHost::other);
}

TEST(TunnelHost, IsNotToBeHiddenBehindBlankLines) {
  EXPECT_EQ(host_of("\r\n\r\nGET / HTTP/1.1\r\nHost: other.example\r\n\r\n"), TunnelHost::other);
  EXPECT_EQ(host_of("\r\nGET / HTTP/1.1\r\nHost: api.example\r\n\r\n"), TunnelHost::same);
}

TEST(TunnelHost, IsAnotherWhenTheBeginningIsAll) {
  const auto of_all = [](std::string_view text) { return tunnel_host(as_bytes(text), /*is_all=*/true, "api.example"); };
  EXPECT_EQ(of_all("GET / HTTP/1.1\r\nHost: api.exa"), TunnelHost::other);
  EXPECT_EQ(of_all(sim::client_hello("api.example").substr(0, 20)), TunnelHost::other);
  EXPECT_EQ(of_all(""), TunnelHost::same);
  EXPECT_EQ(of_all("SSH-2.0\r\n"), TunnelHost::same);
}

TEST(TunnelHost, IsNotLookedForInOtherProtocols) {
  EXPECT_EQ(host_of("SSH-2.0-OpenSSH_9.2\r\n"), TunnelHost::same);
  EXPECT_EQ(host_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), TunnelHost::same);
}

}  // namespace
}  // namespace sluice::proxy
