#include "config/source_file.h"

#include "base/limits.h"
#include "base/result.h"
#include "config/file_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace sluice::config {

namespace {

bool is_document_name(std::string_view name) {
  return !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
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
    Result<FileBytes> file = read_file(path, bytes_max);
    if (!file) return refuse(path, file.error().message);
    source.text = std::move(file->bytes);
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
