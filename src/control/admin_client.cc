#include "control/admin_client.h"

#include "base/limits.h"
#include "io/blocking_socket.h"

#include <fmt/format.h>

#include <charconv>
#include <vector>

namespace sluice::control {

// The answer ends with the connection, which is what the request asks for.
Result<AdminAnswer> ask_admin(const SocketAddress& address, std::string_view method, std::string_view target) {
  const io::Deadline deadline = io::deadline_in(limits::admin_answer_wait);
  const auto wrong = [&address](std::string_view what) {
    return failure(fmt::format("asking the admin port {}: {}; does sluice run, and is that its --admin?",
                               address.to_string(), what));
  };
  Result<io::BlockingSocket> socket = io::BlockingSocket::connect(address, deadline);
  if (!socket) return wrong(socket.error().message);
  const std::string request =
      fmt::format("{} {} HTTP/1.1\r\nhost: {}\r\n{}: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", method,
                  target, address.to_string(), kCommandField);
  if (Status sent = socket->write_all(as_bytes(request), deadline); !sent) return wrong(sent.error().message);
  std::string answer;
  std::vector<std::byte> room(64 * 1024);
  while (true) {
    const Result<size_t> count = socket->read(room, deadline);
    if (!count) return wrong(count.error().message);
    if (*count == 0) break;
    if (answer.size() + *count > limits::admin_answer_bytes_max) return wrong("the answer is too long");
    answer.append(reinterpret_cast<const char*>(room.data()), *count);
  }
  const size_t head_end = answer.find("\r\n\r\n");
  constexpr std::string_view version = "HTTP/1.1 ";
  AdminAnswer result;
  const char* const status = answer.data() + version.size();
  if (!answer.starts_with(version) || head_end == std::string::npos ||
      std::from_chars(status, status + 3, result.status).ec != std::errc())
    return wrong("the answer is no HTTP response");
  result.body = answer.substr(head_end + 4);
  return result;
}

}  // namespace sluice::control
