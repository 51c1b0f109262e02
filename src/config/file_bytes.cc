#include "config/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cerrno>

namespace sluice::config {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

// At most `bytes_max` bytes: the size that fstat(2) told may be out of date by now.
Status read_all(int fd, size_t bytes_max, std::string& text) {
  size_t size = 0;
  for (;;) {
    if (size == text.size()) text.resize(size + 64 * 1024);
    const ssize_t count = ::read(fd, text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(errno_text(errno));
    size += static_cast<size_t>(count);
    if (size > bytes_max) return failure(fmt::format("it is larger than {} bytes", bytes_max));
    if (count == 0) break;
  }
  text.resize(size);
  return {};
}

}  // namespace

Result<FileBytes> read_file(const std::string& path, size_t bytes_max) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return failure(errno_text(errno));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failure(errno_text(errno));
  if (!S_ISREG(status.st_mode)) return failure("it is not a regular file");
  if (static_cast<size_t>(status.st_size) > bytes_max) {
    return failure(fmt::format("it has {} bytes, at most {} are read", status.st_size, bytes_max));
  }
  FileBytes result{{}, status.st_mode & 07777U};
  result.bytes.resize(static_cast<size_t>(status.st_size) + 1);  // one more: the end is seen without growing
  if (const Status read = read_all(file.get(), bytes_max, result.bytes); !read) return std::unexpected(read.error());
  return result;
}

}  // namespace sluice::config
