// The thread that moves access log lines from the shards' buffers to a file or standard output, every
// few milliseconds and in large writes. A disk or a reader that is slow delays only this thread: the
// buffers fill up and the shards drop lines, which they count.
#pragma once

#include "base/durations.h"
#include "base/result.h"
#include "control/process_state.h"
#include "observe/access_log.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace sluice::control {

class AccessLogWriter {
 public:
  // `path`: a file, which is appended to and made if it is not there (mode 0640), or "-".
  // `state` counts what could not be written and must outlive the process's threads.
  [[nodiscard]] static Result<std::unique_ptr<AccessLogWriter>> open(const std::string& path,
                                                                     std::shared_ptr<ProcessState> state);
  AccessLogWriter(const AccessLogWriter&) = delete;
  AccessLogWriter& operator=(const AccessLogWriter&) = delete;
  ~AccessLogWriter();  // stops

  // Enables the buffers and starts the thread. The buffers must live until stop() has returned.
  void start(std::vector<observe::AccessLogBuffer*> buffers);

  // After a rotation: opens the path again. When that fails, the old file stays in use.
  void reopen();

  // Writes what is left and ends the thread. Gives up, with a log line, when the file or the reader of
  // standard output does not move for that long. Idempotent.
  void stop();
  static constexpr Duration stop_wait = std::chrono::seconds(2);

 private:
  struct Shared;  // outlives this object when the thread cannot be stopped

  explicit AccessLogWriter(std::shared_ptr<Shared> shared);

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace sluice::control
