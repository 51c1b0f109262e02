#include "tls/key_log.h"

#ifndef NDEBUG

#include "base/bytes.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/ssl.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

namespace sluice::tls {

namespace {

int log_fd = -1;

void append_hex(std::string& line, ConstBytes bytes) {
  for (const std::byte byte : bytes) line += fmt::format("{:02x}", static_cast<unsigned>(byte));
}

// One write(2) per line: those of several threads never mix.
void write_line(const WOLFSSL* ssl, std::string_view label, ConstBytes secret) {
  std::array<std::byte, 32> client_random;
  if (wolfSSL_get_client_random(ssl, reinterpret_cast<unsigned char*>(client_random.data()), client_random.size()) !=
      client_random.size())
    return;
  std::string line(label);
  line += ' ';
  append_hex(line, client_random);
  line += ' ';
  append_hex(line, secret);
  line += '\n';
  if (write(log_fd, line.data(), line.size()) < 0) return;  // a full disk must not end handshakes
}

// TLS 1.2, full handshakes and resumed ones.
int on_master_secret(WOLFSSL* ssl, void* secret, int size, void* /*unused*/) {
  write_line(ssl, "CLIENT_RANDOM", {static_cast<const std::byte*>(secret), static_cast<size_t>(size)});
  return 0;
}

int on_traffic_secret(WOLFSSL* ssl, int id, const unsigned char* secret, int size, void* /*unused*/) {
  const ConstBytes bytes(reinterpret_cast<const std::byte*>(secret), static_cast<size_t>(size));
  switch (id) {
    case CLIENT_HANDSHAKE_TRAFFIC_SECRET: write_line(ssl, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", bytes); break;
    case SERVER_HANDSHAKE_TRAFFIC_SECRET: write_line(ssl, "SERVER_HANDSHAKE_TRAFFIC_SECRET", bytes); break;
    case CLIENT_TRAFFIC_SECRET: write_line(ssl, "CLIENT_TRAFFIC_SECRET_0", bytes); break;
    case SERVER_TRAFFIC_SECRET: write_line(ssl, "SERVER_TRAFFIC_SECRET_0", bytes); break;
    default: break;  // early data and exporters are not used
  }
  return 0;
}

}  // namespace

Status open_key_log(const char* path) {
  log_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (log_fd < 0)
    return failure(fmt::format("opening SSLKEYLOGFILE {}: {}; name a file that can be written, or unset the variable",
                               path, errno_text(errno)));
  return {};
}

void log_keys_of(WOLFSSL* ssl) noexcept {
  if (log_fd < 0) return;
  wolfSSL_set_secret_cb(ssl, on_master_secret, nullptr);
  wolfSSL_set_tls13_secret_cb(ssl, on_traffic_secret, nullptr);
}

}  // namespace sluice::tls

#endif
