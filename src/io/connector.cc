#include "io/connector.h"

#include "base/check.h"
#include "io/socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace sluice::io {

// The kernel reads the address at submission, which may be after start() returned.
struct Connector::Attempt {
  Attempt(Connector& its_connector, const SocketAddress& its_address, int its_fd) noexcept
      : connector(its_connector), address(its_address), op(on_connect_op, this), fd(its_fd) {
    length = to_sockaddr(address, storage);
  }

  Connector& connector;
  SocketAddress address;
  Op op;
  sockaddr_storage storage;
  unsigned length;
  int fd;
};

Connector::Connector(Loop& loop, std::span<const SocketAddress> addresses, ChangeHandler on_change,
                     void* owner) noexcept
    : loop_(loop),
      on_change_(on_change),
      owner_(owner),
      address_count_(std::min(addresses.size(), addresses_.size())),
      delay_(on_delay, this),
      failure_task_(on_failure_task, this) {
  std::ranges::copy(addresses.first(address_count_), addresses_.begin());
}

Connector::~Connector() { CHECK(is_joined() && won_fd_ < 0); }

void Connector::start() {
  last_error_ = EDESTADDRREQ;  // of no address
  try_next();
}

// A socket that cannot be made is an attempt that has failed.
void Connector::try_next() {
  while (next_ < address_count_) {
    address_ = addresses_[next_++];
    const int fd = open_stream_socket(address_.family);
    if (fd < 0) {
      last_error_ = -fd;
      continue;
    }
    Attempt& attempt = attempts_.emplace_back(*this, address_, fd);
    ++open_count_;
    loop_.connect(attempt.op, attempt.fd, attempt.storage, attempt.length);
    if (next_ < address_count_) loop_.timers().arm(delay_, loop_.now() + limits::connect_attempt_delay);
    return;
  }
  if (open_count_ > 0) return;
  is_over_ = true;
  delay_.cancel();
  if (!failure_task_.is_linked()) loop_.run_later(failure_task_);
}

void Connector::on_delay(void* self) { static_cast<Connector*>(self)->try_next(); }

void Connector::on_failure_task(void* self) {
  Connector& connector = *static_cast<Connector*>(self);
  connector.error_ = connector.last_error_;
  connector.on_change_(connector.owner_);
}

void Connector::on_connect_op(void* self, const Completion& completion) {
  Attempt& attempt = *static_cast<Attempt*>(self);
  attempt.connector.on_connected(attempt, completion.result);
}

void Connector::on_connected(Attempt& attempt, int result) {
  --open_count_;
  if (result >= 0 && !is_over_) {
    won_fd_ = std::exchange(attempt.fd, -1);
    address_ = attempt.address;
    end_all(/*by_reset=*/false);
    return on_change_(owner_);
  }
  close_descriptor(std::exchange(attempt.fd, -1));
  if (is_over_) {
    if (open_count_ == 0) on_change_(owner_);
    return;
  }
  last_error_ = -result;
  address_ = attempt.address;
  try_next();
}

void Connector::stop(bool by_reset) noexcept {
  failure_task_.unlink_if_linked();
  if (!is_over_) end_all(by_reset);
}

// The descriptors are closed as the attempts are joined. shutdown(2) sends FIN (docs/kernel_contract.md 21).
void Connector::end_all(bool by_reset) noexcept {
  is_over_ = true;
  delay_.cancel();
  for (Attempt& attempt : attempts_) {
    if (attempt.op.is_idle()) continue;
    if (by_reset) {
      reset_on_close(attempt.fd);
    } else {
      shutdown_socket(attempt.fd, ShutdownHow::write);
    }
    loop_.cancel(attempt.op);
  }
}

}  // namespace sluice::io
