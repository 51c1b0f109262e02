#include "config/source_file.h"

#include "base/limits.h"
#include "base/result.h"
#include "config/file_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace sluice::config {

namespace {

bool is_document_name(std::string_view name) {
  return !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

// Keys of Secrets (secret_store.h). Those of the first kind make a directory a Secret.
constexpr std::string_view credential_names[] = {"tls.crt", "tls.key", "cert", "key", "ca.crt", "cacert"};
constexpr std::string_view other_credential_names[] = {"crl", "ca.crl", "tls.ocsp-staple"};
constexpr std::string_view revocation_lists[] = {"crl", "ca.crl"};
// Of reading a directory that is swapped all the time.
constexpr int attempts_max = 5;

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

// The name of the directory itself: that of ".", or of a path that ends in a slash, too.
std::string name_of_directory(const std::string& path) {
  std::error_code error;
  const std::filesystem::path given(path);
  const std::string name = given.filename();
  if (!name.empty() && name != "." && name != "..") return name;
  return std::filesystem::canonical(given, error).filename();
}

class FileReader {
 public:
  FileReader(SourceFiles& files, Diagnostics& diagnostics) : files_(files), diagnostics_(diagnostics) {}

  void read_path(const std::string& path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return read_directory(path);
    if (std::optional<SourceText> source = read_one(path, limits::config_file_bytes_max))
      files_.texts.push_back(std::move(*source));
  }

 private:
  struct Names {
    std::vector<std::string> documents;
    std::vector<std::string> credentials;
  };

  // Again while a kubelet swaps it: a certificate must not come with the key of another state.
  void read_directory(const std::string& path) {
    const std::filesystem::path state = std::filesystem::path(path) / "..data";
    for (int attempt = 1;; ++attempt) {
      std::error_code error;
      const std::filesystem::path before = std::filesystem::read_symlink(state, error);
      SourceFiles read;
      Diagnostics said;
      FileReader reader(read, said);
      reader.bytes_left_ = bytes_left_;
      reader.files_left_ = files_left_;
      reader.read_state_of(path);
      const bool is_swapped = std::filesystem::read_symlink(state, error) != before;
      if (is_swapped && attempt < attempts_max) continue;
      if (is_swapped) reader.refuse(path, "its ..data is swapped all the time");
      bytes_left_ = reader.bytes_left_;
      files_left_ = reader.files_left_;
      return take(std::move(read), said);
    }
  }

  void take(SourceFiles read, const Diagnostics& said) {
    std::ranges::move(read.texts, std::back_inserter(files_.texts));
    std::ranges::move(read.credentials, std::back_inserter(files_.credentials));
    files_.is_complete = files_.is_complete && read.is_complete;
    for (const Diagnostic& diagnostic : said.sorted()) {
      diagnostic.severity == Severity::error ? diagnostics_.error(diagnostic.place, diagnostic.message)
                                             : diagnostics_.warning(diagnostic.place, diagnostic.message);
    }
  }

  void read_state_of(const std::string& path) {
    const std::optional<Names> names = list(path);
    if (!names) return;
    const bool is_secret =
        std::ranges::any_of(names->credentials, [](const auto& name) { return is_one_of(name, credential_names); });
    if (names->documents.empty() && !is_secret) {
      diagnostics_.warning({path}, "no *.yaml, *.yml or *.json file and no tls.crt or ca.crt is in this directory");
    }
    const std::string folder = path.ends_with('/') ? path : path + "/";
    for (const std::string& name : names->documents) {
      if (std::optional<SourceText> source = read_one(folder + name, limits::config_file_bytes_max))
        files_.texts.push_back(std::move(*source));
    }
    if (!is_secret) return;
    CredentialFolder credentials{path, name_of_directory(path), {}};
    for (const std::string& name : names->credentials) {
      const size_t bytes_max =
          is_one_of(name, revocation_lists) ? limits::revocation_list_bytes_max : limits::credential_file_bytes_max;
      if (std::optional<SourceText> source = read_one(folder + name, bytes_max))
        credentials.files.push_back(std::move(*source));
    }
    files_.credentials.push_back(std::move(credentials));
  }

  // Sorted. Nothing, and an error, when the directory cannot be read.
  std::optional<Names> list(const std::string& path) {
    Names names;
    size_t count = 0;
    std::error_code error;
    std::filesystem::directory_iterator entries(path, error);
    while (!error && entries != std::filesystem::directory_iterator()) {
      if (++count > limits::config_directory_entries_max) {
        refuse(path, fmt::format("more than {} entries", limits::config_directory_entries_max));
        return std::nullopt;
      }
      std::string name = entries->path().filename();
      if (is_document_name(name)) {
        names.documents.push_back(std::move(name));
      } else if (is_credential(*entries, name)) {
        names.credentials.push_back(std::move(name));
      }
      entries.increment(error);
    }
    if (error) {
      refuse(path, errno_text(error.value()));
      return std::nullopt;
    }
    std::ranges::sort(names.documents);
    std::ranges::sort(names.credentials);
    return names;
  }

  // Folders named "cert" or "key" are just folders.
  static bool is_credential(const std::filesystem::directory_entry& entry, const std::string& name) {
    if (!is_one_of(name, credential_names) && !is_one_of(name, other_credential_names)) return false;
    std::error_code error;
    return name.contains('.') || !entry.is_directory(error);
  }

  std::optional<SourceText> read_one(const std::string& path, size_t bytes_max) {
    if (files_left_ == 0) {
      refuse(path, fmt::format("more than {} files", limits::config_files_max));
      return std::nullopt;
    }
    if (bytes_left_ == 0) {
      refuse(path, fmt::format("all files together may have {} bytes", limits::config_total_bytes_max));
      return std::nullopt;
    }
    Result<FileBytes> file = read_file(path, std::min(bytes_left_, bytes_max));
    if (!file) {
      refuse(path, file.error().message);
      return std::nullopt;
    }
    bytes_left_ -= file->bytes.size();
    --files_left_;
    return SourceText{path, std::move(file->bytes)};
  }

  void refuse(const std::string& path, const std::string& reason) {
    diagnostics_.error({path}, fmt::format("cannot read it: {}", reason));
    files_.is_complete = false;
  }

  SourceFiles& files_;
  Diagnostics& diagnostics_;
  size_t bytes_left_ = limits::config_total_bytes_max;
  size_t files_left_ = limits::config_files_max;
};

}  // namespace

bool is_source_name(std::string_view name) {
  return is_document_name(name) || is_one_of(name, credential_names) || is_one_of(name, other_credential_names);
}

SourceFiles read_files(const std::vector<std::string>& paths, Diagnostics& diagnostics) {
  SourceFiles files;
  FileReader reader(files, diagnostics);
  for (const std::string& path : paths) reader.read_path(path);
  return files;
}

}  // namespace sluice::config
