#include "renewal/store.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/wipe.h"
#include "base/write_file.h"
#include "config/file_bytes.h"
#include "tls/parsed_certificate.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace sluice::renewal {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSecrets = "secrets";
constexpr std::string_view kCertificates = "certificates";
constexpr std::string_view kAccounts = "accounts";
constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;

// Keys are in there: what others could have put into it, or taken out of it, is nobody's state.
Status make_directory(const std::string& path) {
  const auto wrong = [&path](std::string_view what) {
    return failure(fmt::format("cannot use the state directory {}: {}", path, what));
  };
  if (mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST)
    return wrong(
        errno_text(errno) +
        "; create it for sluice's user (StateDirectory= of the service does), or name another one with --state-dir");
  struct stat found{};
  if (lstat(path.c_str(), &found) != 0) return wrong(errno_text(errno));
  if (!S_ISDIR(found.st_mode)) return wrong("it is no directory");
  if (found.st_uid != geteuid())
    return wrong("it is another user's: run this as that user (sudo -u USER), or chown it");
  // Not changed here: it may be somebody's by a slip ("/", ".").
  if ((found.st_mode & 0077) != 0)
    return wrong("others may enter it: chmod 0700, or name another one with --state-dir");
  return {};
}

// Nothing: there is no such file.
Result<std::optional<std::string>> read_whole(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) return std::nullopt;
  auto file = config::read_file(path, limits::state_file_bytes_max);
  if (!file) return failure(fmt::format("cannot read {}: {}", path, file.error().message));
  return std::move(file->bytes);
}

Status remove_file(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return failure(fmt::format("cannot remove {}: {}", path, errno_text(errno)));
}

// "NAME.yaml.XXXXXX" (base/write_file.h): names of documents may have dots too.
bool is_leftover(std::string_view name) {
  constexpr size_t random_size = 7;
  if (name.size() < random_size || name[name.size() - random_size] != '.') return false;
  const std::string_view stem = name.substr(0, name.size() - random_size);
  return !name.substr(stem.size() + 1).contains('.') && (stem.ends_with(".yaml") || stem.ends_with(".json"));
}

std::string hexadecimal(const std::array<uint8_t, 32>& bytes, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) fmt::format_to(std::back_inserter(text), "{:02x}", bytes[i]);
  return text;
}

// "NAMESPACE.NAME.json"; a namespace has no dots (RFC 1123 label).
std::optional<config::ObjectKey> object_of(std::string_view file, std::string_view ending) {
  if (!file.ends_with(ending)) return std::nullopt;
  file.remove_suffix(ending.size());
  const size_t dot = file.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot + 1 == file.size()) return std::nullopt;
  return config::ObjectKey{std::string(file.substr(0, dot)), std::string(file.substr(dot + 1))};
}

WallTime modified(const std::string& path) {
  struct stat found{};
  if (stat(path.c_str(), &found) != 0) return {};
  return WallTime(std::chrono::seconds(found.st_mtim.tv_sec) + std::chrono::nanoseconds(found.st_mtim.tv_nsec));
}

}  // namespace

StoredAccount::~StoredAccount() { wipe(key_pem); }

// --- The directory ---------------------------------------------------------------------------------

Result<Store> Store::open(std::string directory) {
  for (const std::string_view folder : {std::string_view(), kSecrets, kCertificates, kAccounts}) {
    const std::string path = folder.empty() ? directory : fmt::format("{}/{}", directory, folder);
    if (Status status = make_directory(path); !status) return std::unexpected(status.error());
  }
  return Store(std::move(directory));
}

Store::Store(Store&& other) noexcept : directory_(std::move(other.directory_)), lock_(std::exchange(other.lock_, -1)) {}

Store& Store::operator=(Store&& other) noexcept {
  std::swap(directory_, other.directory_);
  std::swap(lock_, other.lock_);
  return *this;
}

Store::~Store() {
  if (lock_ >= 0) close(lock_);
}

std::string Store::secrets_folder(std::string_view directory) { return fmt::format("{}/{}", directory, kSecrets); }

bool Store::take_lock() {
  if (lock_ >= 0) return true;
  const int fd = ::open((directory_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode);
  if (fd < 0) return false;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    return false;
  }
  lock_ = fd;
  remove_leftovers();
  return true;
}

// What a process that was killed has not renamed any more (base/write_file.h): keys may be in it.
void Store::remove_leftovers() const {
  std::error_code error;
  for (const std::string_view folder : {kSecrets, kCertificates, kAccounts}) {
    for (const auto& entry : std::filesystem::directory_iterator(fmt::format("{}/{}", directory_, folder), error)) {
      if (is_leftover(entry.path().filename().string())) std::filesystem::remove(entry.path(), error);
    }
  }
}

std::string Store::path_of(std::string_view folder, const config::ObjectKey& object, std::string_view ending) const {
  // Names of documents, which validation has looked at; a path is never theirs to choose.
  CHECK(!object.name_space.contains('/') && !object.name_space.contains('.') && !object.name.contains('/'));
  return fmt::format("{}/{}/{}.{}{}", directory_, folder, object.name_space, object.name, ending);
}

// --- Certificates ----------------------------------------------------------------------------------

Result<std::optional<Record>> Store::read_record(const config::ObjectKey& certificate) const {
  const std::string path = path_of(kCertificates, certificate, ".json");
  Result<std::optional<std::string>> text = read_whole(path);
  if (!text) return std::unexpected(text.error());
  if (!*text) return std::nullopt;
  Result<Record> record = renewal::read_record(**text);
  wipe(**text);
  if (record) return std::move(*record);
  log::warning("state: {} {}: Certificate {} begins anew", path, record.error().message, certificate.text());
  return std::nullopt;
}

Status Store::write_record(const config::ObjectKey& certificate, const Record& record) {
  CHECK(lock_ >= 0);
  std::string text = to_json(record);
  Status status = write_file_atomically(path_of(kCertificates, certificate, ".json"), text, kFileMode);
  wipe(text);
  return status;
}

std::vector<config::ObjectKey> Store::certificates() const {
  std::vector<config::ObjectKey> names;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(fmt::format("{}/{}", directory_, kCertificates), error)) {
    if (auto name = object_of(entry.path().filename().string(), ".json")) names.push_back(std::move(*name));
  }
  std::ranges::sort(names);
  return names;
}

Status Store::remove_record(const config::ObjectKey& certificate) {
  CHECK(lock_ >= 0);
  return remove_file(path_of(kCertificates, certificate, ".json"));
}

// --- Secrets ---------------------------------------------------------------------------------------

Result<std::optional<std::string>> Store::read_secret(const config::ObjectKey& secret) const {
  return read_whole(path_of(kSecrets, secret, ".yaml"));
}

Status Store::write_secret(const config::ObjectKey& secret, std::string_view yaml) {
  CHECK(lock_ >= 0);
  return write_file_atomically(path_of(kSecrets, secret, ".yaml"), yaml, kFileMode);
}

Status Store::write_imported_secret(const config::ObjectKey& secret, std::string_view yaml) {
  return write_file_atomically(path_of(kSecrets, secret, ".yaml"), yaml, kFileMode);
}

WallTime Store::secrets_changed() const { return modified(secrets_folder(directory_)); }

SecretTimes Store::secret_times() const {
  SecretTimes times;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(secrets_folder(directory_), error)) {
    if (const auto name = object_of(entry.path().filename().string(), ".yaml"))
      times.emplace(*name, modified(entry.path()));
  }
  return times;
}

// --- Accounts --------------------------------------------------------------------------------------

std::string Store::account_path(std::string_view id) const {
  return fmt::format("{}/{}/{}.json", directory_, kAccounts, hexadecimal(tls::sha256(as_bytes(id)), 16));
}

Result<std::optional<StoredAccount>> Store::read_account(std::string_view id) const {
  const std::string path = account_path(id);
  Result<std::optional<std::string>> text = read_whole(path);
  if (!text) return std::unexpected(text.error());
  if (!*text) return std::nullopt;
  const Json json = Json::parse(**text, nullptr, /*allow_exceptions=*/false);
  wipe(**text);
  StoredAccount account;
  for (const auto& [name, to] :
       {std::pair{"server", &account.server}, std::pair{"url", &account.url}, std::pair{"key", &account.key_pem}}) {
    if (!json.is_object() || !json.contains(name) || !json[name].is_string())
      return failure(fmt::format("{} has no usable {}: remove it, and another account is made", path, name));
    *to = json[name].get<std::string>();
  }
  return account;
}

Status Store::write_account(std::string_view id, const StoredAccount& account) {
  CHECK(lock_ >= 0);
  std::string text = Json{{"server", account.server}, {"url", account.url}, {"key", account.key_pem}}.dump(
      1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
  Status status = write_file_atomically(account_path(id), text, kFileMode);
  wipe(text);
  return status;
}

}  // namespace sluice::renewal
