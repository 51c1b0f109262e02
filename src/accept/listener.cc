#include "accept/listener.h"

#include "base/check.h"
#include "base/log.h"
#include "base/result.h"
#include "io/socket.h"

#include <cerrno>
#include <utility>

namespace sluice::accept {

namespace {
constexpr Duration kRetryAfter = std::chrono::milliseconds(100);
}

Listener::Listener(io::Loop& loop, int fd, const SocketAddress& address, Events events) noexcept
    : loop_(loop),
      op_(on_accept, this),
      task_(on_task, this),
      retry_(on_retry, this),
      address_(address),
      events_(events),
      fd_(fd) {}

Listener::~Listener() { CHECK(fd_ < 0); }

void Listener::start(io::AcceptCount count) {
  accepting_ = true;
  if (std::exchange(count_, count) != count && !op_.is_idle()) loop_.cancel(op_);  // arms anew when that is done
  arm();
}

void Listener::pause() noexcept {
  accepting_ = false;
  if (!op_.is_idle()) loop_.cancel(op_);
}

void Listener::close() {
  if (std::exchange(closing_, true)) return;
  accepting_ = false;
  retry_.cancel();
  if (op_.is_idle()) {
    loop_.run_later(task_);
  } else {
    loop_.cancel(op_);
  }
}

void Listener::arm() {
  if (accepting_ && !closing_ && op_.is_idle() && !retry_.is_armed()) loop_.accept(op_, fd_, count_);
}

void Listener::on_accept(void* self, const io::Completion& completion) {
  Listener& listener = *static_cast<Listener*>(self);
  switch (completion.result) {
    case -ECANCELED:
    case -EAGAIN:
    case -EINTR:
    case -ECONNABORTED:  // the client left before it was accepted
      break;
    case -EMFILE:
    case -ENFILE:
    case -ENOBUFS:
    case -ENOMEM:
      if (!listener.closing_) listener.loop_.timers().arm(listener.retry_, listener.loop_.now() + kRetryAfter);
      break;
    default:
      if (completion.result >= 0) {
        listener.events_.on_accepted(listener.events_.owner, listener,
                                     completion.result);  // also when closing: it was accepted
      } else {
        log::warning("accepting on {}: {}", listener.address_.to_string(), errno_text(-completion.result));
        if (!listener.closing_) listener.loop_.timers().arm(listener.retry_, listener.loop_.now() + kRetryAfter);
      }
  }
  if (completion.more) return;
  if (listener.closing_) {
    if (!listener.task_.is_linked()) listener.loop_.run_later(listener.task_);
  } else {
    listener.arm();
  }
}

void Listener::on_retry(void* self) { static_cast<Listener*>(self)->arm(); }

void Listener::on_task(void* self) {
  Listener& listener = *static_cast<Listener*>(self);
  io::close_descriptor(std::exchange(listener.fd_, -1));
  listener.events_.on_closed(listener.events_.owner, listener);
}

}  // namespace sluice::accept
