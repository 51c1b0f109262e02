#include "control/access_log_writer.h"

#include "base/log.h"
#include "config/wording.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string_view>
#include <utility>

namespace sluice::control {

namespace {

constexpr auto kDrainInterval = std::chrono::milliseconds(50);
constexpr auto kFailureLogInterval = std::chrono::minutes(1);

int open_log(const std::string& path) {
  if (path == "-") return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

std::string open_failure(const std::string& path, int error) {
  return fmt::format("cannot open the access log {}: {}; make the folder writable, or choose another --access-log",
                     path, errno_text(error));
}

}  // namespace

struct AccessLogWriter::Shared {
  std::string path;
  std::shared_ptr<ProcessState> state;

  std::mutex mutex;  // of what follows; not held while writing
  std::condition_variable changed;
  std::vector<observe::AccessLogBuffer*> buffers;  // empty: not to be touched any more
  bool is_reopening = false;
  bool is_stopping = false;
  bool is_done = false;

  int fd = -1;  // the thread's, once it runs
  std::chrono::steady_clock::time_point last_failure_logged{};

  ~Shared() {
    if (fd >= 0) close(fd);
  }

  void run() {
    std::string batch;
    bool is_last = false;
    while (!is_last) {
      bool is_reopening_now = false;
      {
        std::unique_lock lock(mutex);
        changed.wait_for(lock, kDrainInterval, [this] { return is_stopping || is_reopening; });
        is_last = is_stopping;
        is_reopening_now = std::exchange(is_reopening, false);
        for (observe::AccessLogBuffer* buffer : buffers) buffer->drain(batch);
      }
      // Lines from before the rotation belong to the old file.
      write(batch);
      batch.clear();
      if (is_reopening_now) open_again();
    }
    const std::lock_guard lock(mutex);
    is_done = true;
    changed.notify_all();
  }

  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::write(fd, text.data(), text.size());
      if (count >= 0) {
        text.remove_prefix(static_cast<size_t>(count));
      } else if (errno != EINTR && errno != EAGAIN) {
        return lose(text.size(), errno);
      } else if (errno == EAGAIN) {  // somebody made our standard output non-blocking
        std::this_thread::sleep_for(kDrainInterval);
      }
    }
  }

  void lose(size_t bytes, int error) {
    state->add_lost_access_log_bytes(bytes);
    const auto now = std::chrono::steady_clock::now();
    if (now - last_failure_logged < kFailureLogInterval && last_failure_logged.time_since_epoch().count() != 0) return;
    last_failure_logged = now;
    log::error("access log {}: {} lost: {}; requests are served all the same", path, config::counted(bytes, "byte"),
               errno_text(error));
  }

  void open_again() {
    if (path == "-") return;
    const int fresh = open_log(path);
    if (fresh < 0) return log::error("{}; the old file stays in use", open_failure(path, errno));
    close(std::exchange(fd, fresh));
    log::info("access log {} opened again", path);
  }
};

Result<std::unique_ptr<AccessLogWriter>> AccessLogWriter::open(const std::string& path,
                                                               std::shared_ptr<ProcessState> state) {
  const int fd = open_log(path);
  if (fd < 0) return failure(open_failure(path, errno));
  auto shared = std::make_shared<Shared>();
  shared->path = path;
  shared->state = std::move(state);
  shared->fd = fd;
  return std::unique_ptr<AccessLogWriter>(new AccessLogWriter(std::move(shared)));
}

AccessLogWriter::AccessLogWriter(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

AccessLogWriter::~AccessLogWriter() { stop(); }

void AccessLogWriter::start(std::vector<observe::AccessLogBuffer*> buffers) {
  for (observe::AccessLogBuffer* buffer : buffers) buffer->set_enabled(true);
  shared_->buffers = std::move(buffers);
  thread_ = std::thread([shared = shared_] { shared->run(); });
}

void AccessLogWriter::reopen() {
  const std::lock_guard lock(shared_->mutex);
  shared_->is_reopening = true;
  shared_->changed.notify_all();
}

void AccessLogWriter::stop() {
  if (!thread_.joinable()) return;
  std::unique_lock lock(shared_->mutex);
  shared_->is_stopping = true;
  shared_->changed.notify_all();
  if (shared_->changed.wait_for(lock, stop_wait, [this] { return shared_->is_done; })) {
    lock.unlock();
    thread_.join();
    return;
  }
  // It is in write(2) and cannot be called back; it holds what it needs, and no buffer any more.
  shared_->buffers.clear();
  lock.unlock();
  thread_.detach();
  log::warning("access log {}: the last lines are lost: nobody takes them", shared_->path);
}

}  // namespace sluice::control
