@echo off
rem For cmd.exe, with which npm runs scripts on Windows. The sh script beside this file does the work,
rem by the sh of Git for Windows: what computes runs here, a lab in the Vagrant machine.
setlocal
set "here=%~dp0hoplab"
set "here=%here:\=/%"
for %%p in (sh.exe) do set "sh=%%~$PATH:p"
if not defined sh for %%p in (git.exe) do if exist "%%~dp$PATH:p..\bin\sh.exe" set "sh=%%~dp$PATH:p..\bin\sh.exe"
if not defined sh goto missing
"%sh%" "%here%" %*
exit /b %errorlevel%
:missing
echo hoplab: this needs the sh that Git for Windows brings: https://gitforwindows.org 1>&2
echo hoplab: without it: vagrant up, then vagrant ssh -c "cd /vagrant && npm run lab scenario-4" 1>&2
exit /b 3
