#include "base/write_file.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace sluice {

namespace {

// The errno of the first step that failed, or 0.
int write_and_sync(int fd, std::string_view content, mode_t mode) {
  // Before the first byte: the mask of the process does not count, and nobody else ever reads a key.
  if (fchmod(fd, mode) != 0) return errno;
  while (!content.empty()) {
    const ssize_t count = write(fd, content.data(), content.size());
    if (count >= 0) {
      content.remove_prefix(static_cast<size_t>(count));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return fsync(fd) == 0 ? 0 : errno;
}

// The rename itself is durable only with its folder. Some file systems cannot; then so be it.
void sync_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const int fd = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

}  // namespace

Status write_file_atomically(const std::string& path, std::string_view content, mode_t mode) {
  const auto write_failure = [&path](int error) {
    return failure(
        fmt::format("cannot write {}: {}; make its folder writable, or choose another place", path, errno_text(error)));
  };
  std::string temporary = path + ".XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return write_failure(errno);
  int error = write_and_sync(fd, content, mode);
  if (close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    return write_failure(error);
  }
  sync_folder_of(path);
  return {};
}

}  // namespace sluice
