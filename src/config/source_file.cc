#include "config/source_file.h"

#include "base/limits.h"
#include "base/result.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

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

bool is_document_name(std::string_view name) {
  return !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

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

Status read_file(const std::string& path, size_t bytes_max, std::string& text) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return failure(errno_text(errno));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failure(errno_text(errno));
  if (!S_ISREG(status.st_mode)) return failure("it is not a regular file");
  if (static_cast<size_t>(status.st_size) > bytes_max) {
    return failure(fmt::format("it has {} bytes, at most {} are read", status.st_size, bytes_max));
  }
  text.resize(static_cast<size_t>(status.st_size) + 1);  // one more: the end is seen without growing
  return read_all(file.get(), bytes_max, text);
}

class FileReader {
 public:
  FileReader(SourceFiles& files, Diagnostics& diagnostics) : files_(files), diagnostics_(diagnostics) {}

  void read_path(const std::string& path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return read_directory(path);
    read_one(path);
  }

 private:
  void read_directory(const std::string& path) {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator entries(path, error);
    while (!error && entries != std::filesystem::directory_iterator()) {
      if (std::string name = entries->path().filename(); is_document_name(name)) names.push_back(std::move(name));
      if (names.size() > limits::config_files_max) return refuse(path, too_many_files());
      entries.increment(error);
    }
    if (error) return refuse(path, errno_text(error.value()));
    if (names.empty()) diagnostics_.warning({path}, "no *.yaml, *.yml or *.json file is in this directory");
    std::ranges::sort(names);
    for (const std::string& name : names) read_one(path.ends_with('/') ? path + name : path + "/" + name);
  }

  void read_one(const std::string& path) {
    if (files_.texts.size() >= limits::config_files_max) return refuse(path, too_many_files());
    if (bytes_left_ == 0) {
      return refuse(path, fmt::format("all files together may have {} bytes", limits::config_total_bytes_max));
    }
    SourceText source{path, {}};
    const size_t bytes_max = std::min(bytes_left_, limits::config_file_bytes_max);
    if (const Status status = read_file(path, bytes_max, source.text); !status) {
      return refuse(path, status.error().message);
    }
    bytes_left_ -= source.text.size();
    files_.texts.push_back(std::move(source));
  }

  static std::string too_many_files() { return fmt::format("more than {} files", limits::config_files_max); }

  void refuse(const std::string& path, const std::string& reason) {
    diagnostics_.error({path}, fmt::format("cannot read it: {}", reason));
    files_.is_complete = false;
  }

  SourceFiles& files_;
  Diagnostics& diagnostics_;
  size_t bytes_left_ = limits::config_total_bytes_max;
};

}  // namespace

SourceFiles read_files(const std::vector<std::string>& paths, Diagnostics& diagnostics) {
  SourceFiles files;
  FileReader reader(files, diagnostics);
  for (const std::string& path : paths) reader.read_path(path);
  return files;
}

}  // namespace sluice::config
